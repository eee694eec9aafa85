"""Training in slices of somebody else's GPU: what travels there, the slice, and what comes home."""
