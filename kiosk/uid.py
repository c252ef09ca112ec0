"""A card's UID as a person types it."""


class NoUid(ValueError):
    """The text is no UID; the message says what one looks like."""


def parse_uid(text: object) -> bytes:
    """4 to 16 bytes from hex in any case, with colons, hyphens or spaces between them, or none. Raises NoUid."""
    try:
        uid = bytes.fromhex(text.replace(":", "").replace("-", "")) if isinstance(text, str) else b""
    except ValueError:
        uid = b""
    if not 4 <= len(uid) <= 16:
        raise NoUid("a UID is 4 to 16 bytes in hex, such as 04a1b2c3d4e5f6")
    return uid
