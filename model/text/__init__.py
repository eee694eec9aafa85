"""What happens to a text around the network."""
