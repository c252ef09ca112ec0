"""`python -m sync.central` is the command `kiosk-central`."""

from sync.central.cli import main

main()
