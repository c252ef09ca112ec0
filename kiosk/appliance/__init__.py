"""The machine of the kiosk: the status that it reports."""
