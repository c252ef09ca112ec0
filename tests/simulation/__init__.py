"""The whole protocol in one process: the real stores and services of both ends, a simulated network, clock and disk.

One seed is one schedule. All chance comes from the seed, so that a failed schedule can be played again exactly.
"""
