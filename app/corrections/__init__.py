"""Corrections: from a form or the API to review, memory and the next model."""
