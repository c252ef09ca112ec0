"""The touch screen: a Flask app on loopback, its page, and its words."""
