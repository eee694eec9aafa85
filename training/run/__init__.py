"""The run: loop, feed, batches, optimiser, loss, checkpoints, progress."""
