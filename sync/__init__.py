"""What the two ends must agree on (rules, messages), the kiosk's side of the wire, and the central service."""
