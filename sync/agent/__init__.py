"""The kiosk's side of the wire."""
