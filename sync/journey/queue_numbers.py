"""Queue numbers, alike at both ends: how people read and type them, and when one may be given again.

Each day counts from one. A number of an earlier day may still be in a hand: an overnight exam waits on, and a visit
goes on after its exam. So a number that is in use is skipped.
"""

import re
from collections.abc import Callable

import msgspec

# Longer than a visit goes on after the last change of its entry. Shorter than from one morning to the next.
IN_USE_MS = 12 * 3600 * 1000
LARGEST_COUNT = 99_999

_NUMBER = re.compile(r"([A-Z][A-Z0-9]{0,3})-([0-9]{3,5})")
_PARTED = re.compile(r"([a-z][a-z0-9]{0,3}) ([0-9]{1,6})")
_TOGETHER = re.compile(r"[a-z][a-z0-9]{1,9}")  # the longest prefix and number


class NumberUse(msgspec.Struct, frozen=True):
    """The last use of a queue number: the last site day of an entry that bears it, and its last sign of life (UTC ms).

    A sign of life is the giving of the number, or a change of its entry. The end of a day is none. `is_undecided`: the
    action that gave the number waits for the centre or for staff, who may still give the number to an entry.
    """

    site_day: str
    last_ms: int
    is_undecided: bool = False


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


def count_of(number: str) -> int:
    """The count in a queue number: 17 for "B-017"."""
    return int(number.rpartition("-")[2])


def prefix_of(number: str) -> str:
    """The prefix in a queue number: "B" for "B-017"."""
    return number.rpartition("-")[0]


def is_in_use(use: NumberUse, since_day: str, now_ms: int) -> bool:
    """Whether a number must not be given: an entry of `since_day` or later bears it, or somebody may still hold it."""
    return use.is_undecided or use.site_day >= since_day or now_ms - use.last_ms < IN_USE_MS


def next_number(prefix: str, used: int, in_use: Callable[[str], bool]) -> str:
    """The first queue number above the count `used` that is not in use."""
    count = used + 1
    while in_use(number := queue_number(prefix, count)):
        count += 1
    return number


def read_queue_number(text: str) -> tuple[str, int] | None:
    """The prefix and the count of a queue number; None for any other text."""
    found = _NUMBER.fullmatch(text)
    return (found[1], int(found[2])) if found else None
