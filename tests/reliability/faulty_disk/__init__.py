"""The disk that fails: I/O errors call by call, and a file system that is full."""
