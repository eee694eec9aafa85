"""Speed and quality measurements; each prints what it measured. `python -m benchmarks` runs what `make bench` does."""
