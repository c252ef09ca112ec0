"""The rows of the database. Each file reads and writes one or two tables, and decides nothing."""
