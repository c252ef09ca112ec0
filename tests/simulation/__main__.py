"""`make simulate`: plays many schedules over all cores, or one seed with its log."""
