"""What becomes of an action where the kiosk and the centre disagree."""
