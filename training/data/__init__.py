"""Pairs: reading, cleaning, splitting, noise, prepared sets, downloads."""
