"""Queue numbers as people read and type them, alike at both ends."""

import re

_PARTED = re.compile(r"([a-z][a-z0-9]{0,3}) ([0-9]{1,6})")
_TOGETHER = re.compile(r"[a-z][a-z0-9]{1,9}")  # the longest prefix and number


def queue_number(prefix: str, count: int) -> str:
    """The queue number of a prefix and a count of the day, such as "B-017"."""
    return f"{prefix}-{count:03d}"


def queue_numbers_of(folded: str) -> tuple[str, ...]:
    """The queue numbers that a text may mean: "b17" and "b 017" mean "B-017". () for any other text.

    The text is folded: in small letters, with a space for a hyphen. A prefix may end with a digit, so a text without a
    space may mean several.
    """
    parted = [folded]
    if _TOGETHER.fullmatch(folded):
        parted = [f"{folded[:end]} {folded[end:]}" for end in range(1, len(folded))]
    readings = (_PARTED.fullmatch(each) for each in parted)
    return tuple(queue_number(found[1].upper(), int(found[2])) for found in readings if found)
