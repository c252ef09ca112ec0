"""What a tap and a press do, and what news from the centre do."""
