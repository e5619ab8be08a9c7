"""The image updated from afar: into the other slot, started, counted as good."""
