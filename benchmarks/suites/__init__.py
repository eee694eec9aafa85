"""What `make bench` measures, one file for each suite, and the programs that ours is measured beside."""
