"""`python -m sync.central` is the command `kiosk-central`."""

from sync.central.commands.main import main

main()
