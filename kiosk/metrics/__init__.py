"""What the kiosk counts for Prometheus, and the port where that is read."""
