"""Letters between nodes: written with the fact that they tell, delivered once in effect."""
