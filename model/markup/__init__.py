"""Texts with markup: which of it is text, and how the rest comes back."""
