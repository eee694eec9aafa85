"""A model version is a folder: store, card, pointers, weights file, self-test."""
