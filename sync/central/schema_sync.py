"""The tables of the wire to the kiosks, in the SQL of schema.py."""

FIRST_SYNC_TABLES: tuple[str, ...] = ()
