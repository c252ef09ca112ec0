"""What to do with an action where the kiosk and the centre disagree: evidence, verdict, and what waits for staff."""
