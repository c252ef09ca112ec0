"""What can go wrong with disks, wires and processes, made to go wrong."""
