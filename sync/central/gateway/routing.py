"""Which worker a call goes to. All calls of one bearer go to the same one, which remembers what it knows of them."""

from collections.abc import Mapping

from sync.central.network.bearer import (
    SECURE_SESSION,
    SESSION,
    session_in,
    token_id_of,
    token_id_of_session,
    token_in,
)


def token_id_in(headers: Mapping[str, str]) -> str | None:
    """The id of the token of a request, in hex: of its bearer token, or of its session. None for one without either."""
    token = token_in(headers.get("Authorization", ""), headers.get("Sec-WebSocket-Protocol", ""))
    if token is not None:
        return token_id_of(token)
    session = session_in(headers.get("Cookie", ""), SECURE_SESSION, SESSION)
    return token_id_of_session(session) if session is not None else None


def place_of(token_id: str, places: int) -> int:
    """The place of the worker of a token's bearer, of so many places. It is the same whichever workers are running."""
    return int(token_id, 16) % places
