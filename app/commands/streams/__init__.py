"""What `traghetto translate` does between its input and its output."""
