"""Greedy and beam search over any step; knows no GRU."""
