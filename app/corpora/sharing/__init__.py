"""How work is shared: among processes of this machine, or actors of a cluster."""
