"""The log of a program: one line a record on the standard error, where systemd adds the time.

A record that is written while a request is served bears the request's id.
"""

import logging
import sys
from contextvars import ContextVar
from types import TracebackType

INTERNAL = "internal error"  # a caller is told no more; the log has the reason
_served: ContextVar[str] = ContextVar("served", default="")


def served_request() -> str:
    """The id of the request that is served here now; empty outside of one."""
    return _served.get()


def serve(request_id: str) -> None:
    """The request of this id is served from now on, to the end of the present task."""
    _served.set(request_id)


class Serving:
    """A context in which the request of an id is served."""

    __slots__ = ("_request_id", "_token")

    def __init__(self, request_id: str) -> None:
        self._request_id = request_id

    def __enter__(self) -> None:
        self._token = _served.set(self._request_id)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _served.reset(self._token)


class RequestFilter(logging.Filter):
    """Adds the id of the served request to a record, as `request`."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keeps every record."""
        request_id = served_request()
        record.request = f" (request {request_id})" if request_id else ""
        return True


def log_to_stderr() -> None:
    """Writes the records of level INFO and above to the standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(RequestFilter())
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s%(request)s", handlers=[handler])
