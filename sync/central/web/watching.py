"""Who may read the metrics and the whole health: a program on this machine, or the bearer of a token for it."""

from flask import request

from sync.central.centre import Centre
from sync.central.services.authentication import authenticate
from sync.central.services.errors import ApiError
from sync.central.web.senders import header_token
from sync.direct import is_direct, is_forwarded
from sync.journey.model import Role

REFUSES = ("unauthorized", "forbidden")
_FORWARDED = ApiError("forbidden", "No proxy may pass this on: ask the centre itself.")


def refusal_of_watcher(centre: Centre) -> ApiError | None:
    """Why the sender of the present request may not watch the centre; None where they may.

    What a proxy has passed on is refused, with a token too: the proxy serves everybody.
    """
    names = request.headers.keys()
    if is_forwarded(names):
        return _FORWARDED
    if is_direct(request.remote_addr or "", request.scheme, request.headers.get("Host", ""), names):
        return None
    sender = authenticate(centre, header_token(), (Role.METRICS,), request.remote_addr)
    return sender if isinstance(sender, ApiError) else None
