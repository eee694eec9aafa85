"""What was measured: figures and ratios, their file, their page, and what has become slower."""
