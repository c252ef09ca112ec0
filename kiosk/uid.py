"""A card's id as a person types it."""

from sync.cards import read_uid


class NoUid(ValueError):
    """The text is no id of a card. The message shows the form of an id."""


def parse_uid(text: object) -> tuple[str, bytes]:
    """Returns the technology and the 4 to 16 bytes of an id as `sync.cards.read_uid` takes it. Raises NoUid."""
    try:
        read = read_uid(text) if isinstance(text, str) else None
    except ValueError:
        read = None
    if read is None:
        raise NoUid("a card's id is 4 to 16 bytes in hex, such as 04a1b2c3d4e5f6 or felica:0101010601b00ade")
    return read
