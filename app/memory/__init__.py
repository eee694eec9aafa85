"""Approved corrections that answer at once."""
