"""What a translation keeps, and how the network is spared it."""
