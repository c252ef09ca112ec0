"""The rows of the database: one file for a table or two, which reads and writes and decides nothing."""
