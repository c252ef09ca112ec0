"""The benchmarks: `make bench` measures and prints figures. No test asserts a time."""
