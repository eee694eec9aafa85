"""Pairs made of others, alike on both sides: other names, numbers, forms, and joins. Careless typing is next door."""
