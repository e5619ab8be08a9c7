"""Hand-written stand-ins that tests share."""
