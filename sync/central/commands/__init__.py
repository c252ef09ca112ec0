"""The command line, `kiosk-central`."""
