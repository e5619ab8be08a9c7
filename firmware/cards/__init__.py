"""Accelerator cards: what they are, what they need to work, and when they are unwell."""
