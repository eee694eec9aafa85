"""How `traghetto retrain` ends: its exit statuses, for the command and for the server that begins one."""

EXIT_PROMOTED, EXIT_NOTHING, EXIT_REFUSED, EXIT_RUNNING = 0, 3, 4, 5
"""Promoted, or kept where that was asked for; nothing to learn; refused by the gate; another one runs."""
