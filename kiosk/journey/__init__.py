"""The effects of taps and presses, and of the verdicts and roster pages of the centre."""
