"""What happened, told to the hospital's system: the feed of events, and webhooks that follow it."""
