"""How long a list in an answer may be, over HTTP and at the command line."""

MAX_ROWS = 500
