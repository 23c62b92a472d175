"""Finished ISO images: embed in them, look into them, compare, verify and write them to a stick."""
