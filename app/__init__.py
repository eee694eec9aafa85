"""The server and the command line. Imports `model`; the trainer only inside its commands."""
