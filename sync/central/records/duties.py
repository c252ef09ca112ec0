"""What a person of the hospital's staff is there for, which says what they may do."""

from collections.abc import Iterable
from enum import StrEnum


class Duty(StrEnum):
    """A person may have several. A token of staff that is no person's counts as the first two."""

    EXAM_ROOM = "exam_room"  # the board
    RECEPTION = "reception"  # the board, the card desk and the exception inbox
    ADMINISTRATOR = "administrator"  # people, the access log, the settings of the site


OF_PROGRAMS = frozenset({Duty.EXAM_ROOM, Duty.RECEPTION})
ANY_DUTY = frozenset(Duty)


def read_duties(text: str) -> frozenset[Duty]:
    """The duties in a column: their names with spaces between them."""
    return frozenset(Duty(each) for each in text.split())


def duties_text(duties: Iterable[Duty]) -> str:
    """Duties as a column has them."""
    return " ".join(in_order(duties))


def in_order(duties: Iterable[Duty]) -> tuple[Duty, ...]:
    """Duties in the order in which they are told."""
    held = frozenset(duties)
    return tuple(each for each in Duty if each in held)
