"""Which worker a call goes to. All calls of one bearer go to the same one, which remembers what it knows of them."""

from collections.abc import Mapping

from sync.central.network.bearer import (
    SECURE_SESSION,
    SESSION,
    place_key_of,
    place_key_of_session,
    session_in,
    token_in,
)


def key_of(headers: Mapping[str, str]) -> str | None:
    """The id of the token of a request, in hex: of its bearer token, or of its session. None for one without either."""
    token = token_in(headers.get("Authorization", ""), headers.get("Sec-WebSocket-Protocol", ""))
    if token is not None:
        return place_key_of(token)
    session = session_in(headers.get("Cookie", ""), SECURE_SESSION, SESSION)
    return place_key_of_session(session) if session is not None else None


def place_of(key: str, places: int) -> int:
    """The place of a bearer's worker, of so many places. It is the same whichever workers are running."""
    return int(key, 16) % places
