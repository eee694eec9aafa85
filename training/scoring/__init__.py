"""Scores, intervals, challenge, breakdowns, figures."""
