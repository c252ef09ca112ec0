"""What each command has done, without a word of output."""
