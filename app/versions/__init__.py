"""Which model versions there are, which one is current, promotion and swapping."""
