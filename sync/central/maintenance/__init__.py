"""The upkeep of the centre, by itself or by an operator: backup, restore, health check, housekeeping."""
