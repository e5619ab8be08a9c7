"""What the image says to its network, and without one."""
