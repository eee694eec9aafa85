"""Who is asking, and what they may do: keys, scopes, protection against forged requests."""
