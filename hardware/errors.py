"""Names an error without its message, since a driver may have put a card's id into it."""

import logging
from types import TracebackType

log = logging.getLogger(__name__)


def place_of(error: BaseException) -> str:
    """Kind of an error and the line of code that raised it."""
    frame: TracebackType | None = error.__traceback__
    while frame and frame.tb_next:
        frame = frame.tb_next
    where = f" at {frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame else ""
    return type(error).__name__ + where


def log_without_values(what: str, error: BaseException) -> None:
    """Logs a failure with the kind and place of its error alone: a traceback would end with the message."""
    log.error("%s failed: %s", what, place_of(error))
