"""The one SQLite file of the kiosk: its tables, the outbox, and the lock."""
