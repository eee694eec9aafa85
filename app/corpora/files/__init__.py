"""The files of a corpus: where they lie, what they are, how lines are read and written."""
