"""A hospital's documents: files of any size and encoding, read into rows, and the rows brought to the centre."""
