"""Drivers that Debian's kernel leaves out: recipes, patches, and the making of signed modules.

Nothing is built or linked on the machine: an image has its modules signed, or has them not.
"""
