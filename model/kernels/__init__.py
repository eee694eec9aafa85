"""The fast ways: int8, C, their bindings, allocation, number formats."""
