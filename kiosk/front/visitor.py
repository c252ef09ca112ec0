"""Who stands at the kiosk, and until when: pure values. Seconds are those of a monotonic clock.

A screen with something to decide stays a minute and says how much of it is left; one that only tells stays fifteen
seconds. "Keep using" starts the time afresh, ten times at most (EN 301 549, 5.1.4 and WCAG 2.2, 2.2.1 ask for that).

A reversal counts as seen once it has stood for five seconds before the person whose tap or press brought it, or once
they do anything on its screen.
"""

from dataclasses import dataclass, replace

from kiosk.front.screen import ScreenKind
from kiosk.journey.outcomes import Reversal
from sync.cards import CardHash
from sync.journey.model import PatientId

DECIDE_S = 60.0
TELL_S = 15.0
SEEN_S = 5.0
KEEPS = 10


@dataclass(frozen=True, slots=True)
class Visitor:
    """What the screen is about. `cards` are the hashes of the card that was held, `came_as` is whom it meant then,
    whoever that turned out to be since; `reason` is a refused card's; `tapped_again`: a tap that changed nothing;
    `refused`: a press that the rules did not take; `reversals` are those that it tells of, and `seen` whether they have
    been; `stay_s` is how long it stays untouched from `since_s`, until `ends_s`."""

    kind: ScreenKind = ScreenKind.ATTRACT
    patient_id: PatientId | None = None
    cards: tuple[CardHash, ...] = ()
    came_as: PatientId | None = None
    reason: str | None = None
    tapped_again: bool = False
    refused: bool = False
    reversals: tuple[Reversal, ...] = ()
    seen: bool = False
    since_s: float = 0.0
    stay_s: float = 0.0
    ends_s: float | None = None
    keeps_left: int = 0

    def until(self, now_s: float, stay_s: float) -> "Visitor":
        """The same, for `stay_s` seconds from now."""
        return replace(self, since_s=now_s, stay_s=stay_s, ends_s=now_s + stay_s)

    def remaining_s(self, now_s: float) -> float | None:
        """Seconds left; None where the screen stays."""
        return None if self.ends_s is None else max(0.0, self.ends_s - now_s)

    def unseen_s(self, now_s: float) -> float | None:
        """Seconds until what it tells of counts as seen; None where nothing is left to be."""
        return max(0.0, self.since_s + SEEN_S - now_s) if self.reversals and not self.seen else None

    def due_s(self, now_s: float) -> float | None:
        """Seconds until time alone changes something; None where it does not."""
        return min((s for s in (self.unseen_s(now_s), self.remaining_s(now_s)) if s is not None), default=None)

    def is_over(self, now_s: float) -> bool:
        """Whether its time is up."""
        return self.ends_s is not None and now_s >= self.ends_s

    def kept(self, now_s: float) -> "Visitor":
        """The person asked for more time; the same where none is left to give."""
        if self.ends_s is None or not self.keeps_left:
            return self
        return replace(self, keeps_left=self.keeps_left - 1, ends_s=now_s + self.stay_s)


ATTRACT = Visitor()


def journey(patient_id: PatientId, cards: tuple[CardHash, ...], tapped_again: bool = False) -> Visitor:
    """A known patient is here, with this card."""
    return Visitor(ScreenKind.JOURNEY, patient_id, cards, patient_id, tapped_again=tapped_again, keeps_left=KEEPS)


def unknown_card(patient_id: PatientId, cards: tuple[CardHash, ...]) -> Visitor:
    """A good card that nobody is known for; `patient_id` is the name that a check-in would give its holder."""
    return Visitor(ScreenKind.UNKNOWN_CARD, patient_id, cards, keeps_left=KEEPS)


def refused_card(reason: str) -> Visitor:
    """A card that cannot be used, and why."""
    return Visitor(ScreenKind.REFUSED_CARD, reason=reason, keeps_left=KEEPS)
