"""The power cut: a journal of a real process's writes, and the possible contents of the disk at any moment of the
journal.
"""
