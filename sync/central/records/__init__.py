"""One file for a table or two: rows are read and written here, and nothing is decided."""
