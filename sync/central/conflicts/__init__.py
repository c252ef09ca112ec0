"""Conflicts between a kiosk and the centre over an action: evidence, verdict, and the actions that wait for staff."""
