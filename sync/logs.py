"""The log of a program: one line a record on the standard error, where systemd adds the time."""

import logging
import sys

INTERNAL = "internal error"  # a caller is told no more; the log has the reason


def log_to_stderr() -> None:
    """Writes the records of level INFO and above to the standard error."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
