"""What clients of other services send, and the answers that they read: one file for each service."""
