"""Every driver that images can have is built: minutes for the largest, so not at each change."""
