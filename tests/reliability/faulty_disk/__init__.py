"""Disks that fail: I/O errors call by call, and a full file system."""
