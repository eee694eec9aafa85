"""The server on more than one machine: replicas of it under Ray Serve. Nothing imports Ray before it is asked for."""
