"""Batches across requests, in a thread of its own."""
