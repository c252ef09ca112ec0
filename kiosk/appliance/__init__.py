"""The box itself: the status that it reports."""
