"""Power cuts, at moments that nobody chose."""
