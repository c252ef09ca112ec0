"""A card's UID as a person types it."""


class NoUid(ValueError):
    """The text is no UID. The message shows the form of a UID."""


def parse_uid(text: object) -> bytes:
    """Returns the 4 to 16 bytes of a UID in hex, in any case; colons, hyphens and spaces are ignored. Raises NoUid."""
    try:
        uid = bytes.fromhex(text.replace(":", "").replace("-", "")) if isinstance(text, str) else b""
    except ValueError:
        uid = b""
    if not 4 <= len(uid) <= 16:
        raise NoUid("a UID is 4 to 16 bytes in hex, such as 04a1b2c3d4e5f6")
    return uid
