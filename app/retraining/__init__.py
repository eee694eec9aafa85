"""From approved corrections to the next model: what is trained on, the run and its records, and when it is due."""
