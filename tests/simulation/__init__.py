"""The whole protocol in one process: real stores and services of both ends under a simulated network, clock and disk.

One seed is one schedule. Whatever it does is drawn from the seed, so that a run that fails is played again exactly.
"""
