"""Who is on the screen, and what the screen shows."""
