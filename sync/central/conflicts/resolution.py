"""What becomes of an action: its verdict, and its effect with the place of it."""

from enum import StrEnum

import msgspec

from sync.journey.model import Decision, VisitId
from sync.protocol import Code, Verdict


class Place(StrEnum):
    """Where an action leaves its effect."""

    NOWHERE = "nowhere"
    TODAY = "today"  # on the patient's journey of today
    HISTORY = "history"  # on the history of a visit whose day has ended
    ALIAS = "alias"  # the visit that it would open becomes an alias of `visit_id`


class Resolution(msgspec.Struct, frozen=True):
    """The verdict, the row of the table behind it (0: no conflict), and the effect with its place.

    `revision` is that of the verdict. `reversed`: the kiosk was told that the action was applied. It is not applied
    now, and staff must know of it.
    """

    verdict: Verdict
    code: Code
    conflict: int = 0
    place: Place = Place.NOWHERE
    visit_id: VisitId | None = None
    decision: Decision | None = None
    revision: int = 0
    reversed: bool = False
