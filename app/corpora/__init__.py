"""Whole corpora: many files, cut into shards that processes of this machine or of a cluster translate."""
