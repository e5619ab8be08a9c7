"""Jobs: contracts as this node runs them, from the proposal to a record that all nodes share."""
