"""The way over from a system of the Django era: what its database holds, how it is judged, and the way back."""
