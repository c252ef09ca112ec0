"""Pushes and pulls between the real stores of both ends, without a process of either."""
