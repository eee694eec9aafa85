"""The offline trainer. Imports `model`, never `app`."""
