"""The id of each request, which its answer bears, and each line of the log about it."""

import re
import secrets

from aiohttp import web

from sync.central.frames import Headers
from sync.central.network.headers import REQUEST_ID

_USABLE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_NAME = REQUEST_ID.lower().encode()


def new_request_id() -> str:
    """An id for a request that names none."""
    return secrets.token_hex(8)


def request_id_of(request: web.BaseRequest) -> str:
    """The id that a client gave its request, where that is a short token; else a new one."""
    given = request.headers.get(REQUEST_ID, "")
    return given if _USABLE.fullmatch(given) else new_request_id()


def with_request_id(headers: Headers, request_id: str) -> Headers:
    """The headers of a request with this id in place of the client's."""
    return [*(each for each in headers if each[0].lower() != _NAME), (_NAME, request_id.encode())]
