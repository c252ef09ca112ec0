"""What the centre does by itself or for an operator: backup, restore, health check, housekeeping."""
