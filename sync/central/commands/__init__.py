"""The command line, `kiosk-central`: options, words and exit codes. What a command does is in `operations/`."""
