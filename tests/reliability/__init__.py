"""Disks, wires and processes that fail on purpose."""
