"""What the centre counts for Prometheus: workers count, and the gateway keeps the sums of all of them."""
