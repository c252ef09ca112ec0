"""What becomes of what a kiosk sends, between the real stores of both ends and without a process of either."""
