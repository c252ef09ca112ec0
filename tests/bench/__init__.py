"""The figures: `make bench` measures and prints, and judges nothing. No test asserts a time."""
