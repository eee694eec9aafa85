"""The commands of `traghetto`, one module each. Heavy imports, and any of `training`, only inside functions."""
