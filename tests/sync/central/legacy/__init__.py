"""The way over from a system of the Django era: its database is made by a real Django."""
