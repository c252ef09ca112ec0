"""Who stands at the kiosk, and for how long the screen stays: pure values. Seconds are those of a monotonic clock.

A screen that asks for a decision stays a minute and shows the time left; so does one that is about to ask. A screen
that only informs stays half a minute. "Keep using" starts the time again, ten times at most (EN 301 549, 5.1.4 and
WCAG 2.2, 2.2.1 ask for that). A person who needs more time gets three times as much of all of it.

A person who walks away leaves a name on the screen. So a screen that asks for a decision hides the person's data when
no card is at a reader and no finger has touched the glass for 25 seconds. A touch brings the data back.

A tap acts when its card has been alone for a moment (`SETTLE_S`). A wallet may hold the cards of two people, and then
the kiosk acts for neither. The screen greets the person at once.

A reversal counts as seen once it has been on the screen for five seconds after the person's own tap or press, or once
the person touches that screen. The person may be gone when a reversal comes to a screen that is up already: then the
five seconds do not count.
"""

from msgspec import Struct
from msgspec.structs import replace

from kiosk.front.screen import DeskCard, Lookup, ScreenKind
from kiosk.journey.outcomes import Reversal
from sync.cards import CardHash
from sync.journey.model import PatientId
from sync.visit_code import VisitCode

DECIDE_S = 60.0
INFORM_S = 30.0
HIDE_S = 25.0  # without a touch and a card
PATIENT = 3.0  # the times of a person who needs more time, as a multiple
SEEN_S = 5.0
KEEPS = 10
SETTLE_S = 0.25  # the cards of one wallet come within some 0.1 s of each other
LOOKUP_S = 1.5  # the longest time in which the centre's answer about an unknown card may change the screen
LIFT_AGAIN = "lift_again"  # the reason of a reader for a card that lay there before it looked
HOLD_ONE_CARD = "hold_one_card"  # the reason on the screen for two cards that are as good in one gesture


class Visitor(Struct, frozen=True):
    """The person that the screen is about, and the screen's time.

    `stay` is the id of the person's stay at the kiosk ("": not given yet). `cards` are the hashes of the tapped card.
    `tapped_id` is the patient that the card meant at the tap, `patient_id` the patient that it means now. `reason` is
    why a card is refused. `tapped_again`: the tap changed nothing. `refused`: the rules refused the press. `done` names
    the action that this press or tap did last. `reversals` are those on the screen, `reversals_seen` tells whether the
    person has seen them, and at `seen_s` they count as seen (None: not by time). `lookup` is what the centre says about
    an unknown card. The screen stays `stay_s` seconds without a touch, and ends at `ends_s`. It was touched last at
    `touched_s`; `veiled`: it hides the person's data. The tap acts at `acts_s`, and the look-up ends at
    `lookup_ends_s` (all monotonic). `visit_code` opens the visit to a telephone, where this stay has confirmed an
    arrival. `desk` is a card for the desk, where nobody is on the screen.
    """

    kind: ScreenKind = ScreenKind.ATTRACT
    patient_id: PatientId | None = None
    cards: tuple[CardHash, ...] = ()
    tapped_id: PatientId | None = None
    reason: str | None = None
    tapped_again: bool = False
    refused: bool = False
    done: str | None = None
    reversals: tuple[Reversal, ...] = ()
    reversals_seen: bool = False
    seen_s: float | None = None
    stay_s: float = 0.0
    ends_s: float | None = None
    touched_s: float = 0.0
    veiled: bool = False
    keeps_left: int = 0
    acts_s: float | None = None
    lookup: Lookup | None = None
    lookup_ends_s: float = 0.0
    stay: str = ""
    visit_code: VisitCode | None = None
    desk: DeskCard | None = None

    @property
    def is_settled(self) -> bool:
        """Whether the tap has acted, and the centre's answer about the card is not awaited any more."""
        return self.acts_s is None and self.lookup is not Lookup.ASKED

    def start_time(self, now_s: float, stay_s: float) -> "Visitor":
        """Returns the visitor with `stay_s` seconds from now."""
        return replace(self, stay_s=stay_s, ends_s=now_s + stay_s)

    def with_time(self, now_s: float, least_s: float) -> "Visitor":
        """Returns the visitor with at least `least_s` seconds from now; unchanged where the screen stays."""
        return self if self.ends_s is None else replace(self, ends_s=max(self.ends_s, now_s + least_s))

    def extend_time(self, now_s: float) -> "Visitor":
        """Returns the visitor with the time started again; unchanged where no extension is left."""
        if self.ends_s is None or not self.keeps_left:
            return self
        return replace(self, keeps_left=self.keeps_left - 1, ends_s=now_s + self.stay_s)

    def touched(self, now_s: float) -> "Visitor":
        """Returns the visitor after a touch: the person is there."""
        return replace(self, touched_s=now_s, veiled=False)

    def with_reversals(self, unseen: tuple[Reversal, ...], seen_s: float | None) -> "Visitor":
        """Returns the visitor with these reversals on the screen too. They count as seen at `seen_s`."""
        shown = {(reversal.action_id, reversal.revision) for reversal in self.reversals}
        new = tuple(reversal for reversal in unseen if (reversal.action_id, reversal.revision) not in shown)
        if not new:
            return self
        return replace(self, reversals=(*self.reversals, *new), reversals_seen=False, seen_s=seen_s)

    def remaining_s(self, now_s: float) -> float | None:
        """Returns the seconds left; None where the screen stays."""
        return None if self.ends_s is None else max(0.0, self.ends_s - now_s)

    def seen_in_s(self, now_s: float) -> float | None:
        """Returns the seconds until the reversals count as seen; None where they do not by time."""
        is_due = self.reversals and not self.reversals_seen and self.seen_s is not None
        return max(0.0, self.seen_s - now_s) if is_due and self.seen_s is not None else None

    def acts_in_s(self, now_s: float) -> float | None:
        """Returns the seconds until the tap acts; None where it has acted, or does not act."""
        return None if self.acts_s is None else max(0.0, self.acts_s - now_s)

    def lookup_ends_in_s(self, now_s: float) -> float | None:
        """Returns the seconds in which the centre may still answer; None where no answer is awaited."""
        return max(0.0, self.lookup_ends_s - now_s) if self.lookup is Lookup.ASKED else None

    def next_change_s(self, now_s: float) -> float | None:
        """Returns the seconds until the passing of time changes the screen; None where it does not."""
        waits = (self.seen_in_s(now_s), self.remaining_s(now_s), self.acts_in_s(now_s), self.lookup_ends_in_s(now_s))
        return min((wait for wait in waits if wait is not None), default=None)

    def is_over(self, now_s: float) -> bool:
        """Whether the time is up."""
        return self.ends_s is not None and now_s >= self.ends_s


ATTRACT = Visitor()


def journey(
    patient_id: PatientId,
    cards: tuple[CardHash, ...],
    *,
    tapped_again: bool = False,
    done: str | None = None,
    acts_s: float | None = None,
    visit_code: VisitCode | None = None,
) -> Visitor:
    """Returns a known patient with the card of the tap."""
    return Visitor(
        ScreenKind.JOURNEY,
        patient_id,
        cards,
        patient_id,
        tapped_again=tapped_again,
        done=done,
        keeps_left=KEEPS,
        acts_s=acts_s,
        visit_code=visit_code,
    )


def settling(patient_id: PatientId, cards: tuple[CardHash, ...], acts_s: float) -> Visitor:
    """Returns a known patient whose tap acts at `acts_s` (monotonic)."""
    return journey(patient_id, cards, acts_s=acts_s)


def unknown_card(patient_id: PatientId, cards: tuple[CardHash, ...], lookup_ends_s: float | None) -> Visitor:
    """Returns the holder of a usable card that this kiosk does not know. A check-in makes a patient of that id.

    The centre is asked until `lookup_ends_s` (monotonic); None where it cannot be asked.
    """
    lookup = Lookup.UNAVAILABLE if lookup_ends_s is None else Lookup.ASKED
    return Visitor(
        ScreenKind.UNKNOWN_CARD,
        patient_id,
        cards,
        keeps_left=KEEPS,
        lookup=lookup,
        lookup_ends_s=lookup_ends_s or 0.0,
    )


def refused_card(reason: str) -> Visitor:
    """Returns the holder of a card that cannot be used, with the reason code."""
    return Visitor(ScreenKind.REFUSED_CARD, reason=reason, keeps_left=KEEPS)
