"""The power cut: a journal of what a real process wrote, and the disk as it could be found at any moment of it."""
