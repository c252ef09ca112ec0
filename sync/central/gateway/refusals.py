"""What the gateway itself answers: that a request is not read, or that nobody can answer it now."""

import msgspec
from aiohttp import web

from sync.central.gateway.request_ids import new_request_id
from sync.central.network.headers import JSON, NO_STORE, REQUEST_ID, SECURITY
from sync.central.services.errors import ApiError, error_body
from sync.logs import served_request

SERVER = ("Server", "kiosk-central")  # aiohttp would tell its version and Python's
BUSY = ApiError("busy", "The centre cannot answer now.")
TOO_SLOW = ApiError("too_slow", "The request did not come in time.")
FULL = ApiError("busy", "Too many connections are open.")


def refusal(error: ApiError) -> web.Response:
    """The response to a request that the worker does not get. The connection ends with it where it was not read."""
    headers = own_headers() | dict((*SECURITY, NO_STORE))
    if error.code == "busy":
        headers["Retry-After"] = "1"
    return web.Response(body=_body(error), status=error.status, headers=headers, content_type=JSON)


def draining() -> web.Response:
    """The answer to those who watch the service while it lets its clients go: send requests elsewhere."""
    headers = own_headers() | dict((*SECURITY, NO_STORE))
    made = web.Response(body=b'{"status":"draining"}', status=503, headers=headers, content_type=JSON)
    made.force_close()
    return made


def own_headers() -> dict[str, str]:
    """The headers that the gateway adds to every response to a request: its own name, and the request's id."""
    return {SERVER[0]: SERVER[1], REQUEST_ID: served_request() or new_request_id()}


def bare_refusal(error: ApiError) -> bytes:
    """A whole response for a connection that no request is read from."""
    body = _body(error)
    head = (
        f"HTTP/1.1 {error.status.value} {error.status.phrase}\r\nContent-Type: {JSON}\r\nRetry-After: 1\r\n"
        f"{REQUEST_ID}: {new_request_id()}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _body(error: ApiError) -> bytes:
    return msgspec.json.encode(error_body(error))
