"""The bearer token of a request, wherever it stands."""


def token_in(authorization: str, subprotocols: str = "") -> str | None:
    """The token of `Authorization: Bearer` (RFC 6750, 2.1), or of the subprotocols `bearer, <token>`; None without one.

    Apps send a header. Browsers cannot set one for a WebSocket, and offer subprotocols.
    """
    return _after_bearer(authorization, " ") or _after_bearer(subprotocols, ",")


def _after_bearer(header: str, separator: str) -> str | None:
    scheme, _, token = header.partition(separator)
    return token.strip() or None if scheme.strip().lower() == "bearer" else None
