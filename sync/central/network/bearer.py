"""Who sends a request: its bearer token or the cookie of its session, wherever they stand."""

import hashlib

ID_LENGTH = 12  # of the id of a token, in hex digits
SESSION, SECURE_SESSION = "nk_session", "__Host-nk_session"  # names of the cookie, over http and over https


def token_in(authorization: str, subprotocols: str = "") -> str | None:
    """The token of `Authorization: Bearer` (RFC 6750, 2.1), or of the subprotocols `bearer, <token>`; None without one.

    Apps send a header. Browsers cannot set one for a WebSocket, and offer subprotocols.
    """
    return _after_bearer(authorization, " ") or _after_bearer(subprotocols, ",")


def session_in(cookies: str, *names: str) -> str | None:
    """The session in a `Cookie` header (RFC 6265, 4.2), under the first of these names that is there; None without."""
    pairs = (each.strip().partition("=") for each in reversed(cookies.split(";")))
    found = {name: value for name, _, value in pairs if value}
    return next((found[name] for name in names if name in found), None)


def token_id_of(token: str) -> str:
    """The id of a token: the beginning of its hash, which is no secret."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()[:ID_LENGTH]


def token_id_of_session(session: str) -> str | None:
    """The id of the token of a session, with which the session begins; None for a text that is no session."""
    token_id = session.partition(".")[0]
    is_one = len(token_id) == ID_LENGTH and all(each in "0123456789abcdef" for each in token_id)
    return token_id if is_one else None


def _after_bearer(header: str, separator: str) -> str | None:
    scheme, _, token = header.partition(separator)
    return token.strip() or None if scheme.strip().lower() == "bearer" else None
