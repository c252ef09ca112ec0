"""The command line, `kiosk-central`: options, output and exit codes. The operations are in `operations/`."""
