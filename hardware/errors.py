"""Names an error without what it says: a driver, or whoever handled a card, may have put its id into the message."""

import logging
from types import TracebackType

log = logging.getLogger(__name__)


def place_of(error: BaseException) -> str:
    """Kind of an error and the line of code that raised it."""
    last: TracebackType | None = error.__traceback__
    while last and last.tb_next:
        last = last.tb_next
    where = f" at {last.tb_frame.f_code.co_filename}:{last.tb_lineno}" if last else ""
    return type(error).__name__ + where


def log_without_values(what: str, error: BaseException) -> None:
    """Logs that something failed, with kind and place only: a traceback would end with the message."""
    log.error("%s failed: %s", what, place_of(error))
