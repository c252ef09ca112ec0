"""What a tap and a press do, and what verdicts and roster pages of the centre change."""
