"""Who stands at the kiosk, and for how long the screen stays: pure values. Seconds are those of a monotonic clock.

A screen that asks for a decision stays a minute and shows the time left. A screen that only informs stays fifteen
seconds. "Keep using" starts the time again, ten times at most (EN 301 549, 5.1.4 and WCAG 2.2, 2.2.1 ask for that).

A reversal counts as seen once it has been on the screen for five seconds after the person's own tap or press, or once
the person presses anything on that screen.
"""

from dataclasses import dataclass, replace

from kiosk.front.screen import ScreenKind
from kiosk.journey.outcomes import Reversal
from sync.cards import CardHash
from sync.journey.model import PatientId

DECIDE_S = 60.0
INFORM_S = 15.0
SEEN_S = 5.0
KEEPS = 10


@dataclass(frozen=True, slots=True)
class Visitor:
    """The person that the screen is about, and the screen's time.

    `cards` are the hashes of the tapped card. `tapped_id` is the patient that the card meant at the tap, `patient_id`
    the patient that it means now. `reason` is why a card is refused. `tapped_again`: the tap changed nothing.
    `refused`: the rules refused the press. `reversals` are those on the screen, `reversals_seen` tells whether the
    person has seen them. The screen is up since `since_s`, stays `stay_s` seconds without a touch, and ends at `ends_s`
    (all monotonic).
    """

    kind: ScreenKind = ScreenKind.ATTRACT
    patient_id: PatientId | None = None
    cards: tuple[CardHash, ...] = ()
    tapped_id: PatientId | None = None
    reason: str | None = None
    tapped_again: bool = False
    refused: bool = False
    reversals: tuple[Reversal, ...] = ()
    reversals_seen: bool = False
    since_s: float = 0.0
    stay_s: float = 0.0
    ends_s: float | None = None
    keeps_left: int = 0

    def start_time(self, now_s: float, stay_s: float) -> "Visitor":
        """Returns the visitor with `stay_s` seconds from now."""
        return replace(self, since_s=now_s, stay_s=stay_s, ends_s=now_s + stay_s)

    def extend_time(self, now_s: float) -> "Visitor":
        """Returns the visitor with the time started again; unchanged where no extension is left."""
        if self.ends_s is None or not self.keeps_left:
            return self
        return replace(self, keeps_left=self.keeps_left - 1, ends_s=now_s + self.stay_s)

    def remaining_s(self, now_s: float) -> float | None:
        """Returns the seconds left; None where the screen stays."""
        return None if self.ends_s is None else max(0.0, self.ends_s - now_s)

    def seen_in_s(self, now_s: float) -> float | None:
        """Returns the seconds until the reversals count as seen; None where no reversal is unseen."""
        has_unseen = self.reversals and not self.reversals_seen
        return max(0.0, self.since_s + SEEN_S - now_s) if has_unseen else None

    def next_change_s(self, now_s: float) -> float | None:
        """Returns the seconds until the passing of time changes the screen; None where it does not."""
        return min((s for s in (self.seen_in_s(now_s), self.remaining_s(now_s)) if s is not None), default=None)

    def is_over(self, now_s: float) -> bool:
        """Whether the time is up."""
        return self.ends_s is not None and now_s >= self.ends_s


ATTRACT = Visitor()


def journey(patient_id: PatientId, cards: tuple[CardHash, ...], tapped_again: bool = False) -> Visitor:
    """Returns a known patient with the card of the tap."""
    return Visitor(ScreenKind.JOURNEY, patient_id, cards, patient_id, tapped_again=tapped_again, keeps_left=KEEPS)


def unknown_card(patient_id: PatientId, cards: tuple[CardHash, ...]) -> Visitor:
    """Returns the holder of a usable card that no patient has. A check-in makes a patient of that id."""
    return Visitor(ScreenKind.UNKNOWN_CARD, patient_id, cards, keeps_left=KEEPS)


def refused_card(reason: str) -> Visitor:
    """Returns the holder of a card that cannot be used, with the reason code."""
    return Visitor(ScreenKind.REFUSED_CARD, reason=reason, keeps_left=KEEPS)
