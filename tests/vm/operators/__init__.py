"""Administration of the image from afar, as its operators do it."""
