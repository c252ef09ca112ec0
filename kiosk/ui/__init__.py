"""The touch screen: a Flask app on loopback, its page, and the words it speaks."""
