"""The node's append-only log of what was decided and done, as a Merkle tree that it signs."""
