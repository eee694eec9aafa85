"""Programs for whoever works on the project: run as `scripts/NAME`, or `python -m scripts.NAME`."""
