"""What a person of the hospital's staff is there for, which says what they may do."""

from enum import StrEnum


class Duty(StrEnum):
    """A person may have several. A token of staff that is no person's counts as the first two."""

    EXAM_ROOM = "exam_room"  # the board
    RECEPTION = "reception"  # the board, the card desk and the exception inbox
    ADMINISTRATOR = "administrator"  # people, the access log, the settings of the site


OF_PROGRAMS = frozenset({Duty.EXAM_ROOM, Duty.RECEPTION})
