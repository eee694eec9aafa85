"""The network: shapes on every tensor."""
