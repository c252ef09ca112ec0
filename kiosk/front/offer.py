"""The offer: the one action that the big button stands for, and the press that answers it. Pure values.

A finger takes a moment to land, and the screen may change meanwhile. So each offer has an id of its own, and a press
names the offer that was under the finger when it went down. A press counts only for the offer that stands, once, and
not in its first moment (`DEAD_S`): that finger was on its way to what was there before.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from kiosk.front.screen import Screen

DEAD_S = 0.6  # how long a new offer takes no press


class Misplaced(StrEnum):
    """Why a press is not for what is on the screen. The screen needs no word of it: it shows what is asked now."""

    CONFLICT = "conflict"  # another person is on the screen, or nobody
    STALE = "stale"  # the offer is over: it was answered, or the step has changed
    TOO_SOON = "too_soon"  # the finger was on its way before the offer was there


class Question(Struct, frozen=True):
    """What the button asks. The offer stays while the question does."""

    stay: str
    patient_id: str
    action: str
    journey_state: str
    exam_id: str


class Press(Struct, frozen=True):
    """A press: the offer that was under the finger, and the action and the patient that the button stood for.

    `payload` is the action's own data, such as the receipt of a payment.
    """

    offer: str | None
    patient_id: str
    action_type: str
    action_id: str | None
    payload: Mapping[str, Any] = field(default_factory=dict)


class Offer(Struct, frozen=True):
    """The offer that stands since `since_s` (monotonic), under its id."""

    offer_id: str
    question: Question
    since_s: float


class Offers(Struct, frozen=True):
    """The offer on the screen, and the press that answered the last one."""

    present: Offer | None = None
    answered: Press | None = None

    def follow(self, question: Question | None, now_s: float, new_id: Callable[[], str]) -> "Offers":
        """Returns the offers with the question of a new screen. `new_id` names a new offer; None ends the offer."""
        present = self.present
        if question is None:
            return replace(self, present=None)
        if present is not None and present.question == question:
            return self
        return replace(self, present=Offer(new_id(), question, now_s))

    def answer(self, press: Press) -> "Offers":
        """Returns the offers after a press that counted. The next screen begins another offer."""
        return Offers(None, press)

    def is_repeat(self, press: Press) -> bool:
        """Whether the press is the last one that counted, sent again because no answer came."""
        return press.action_id is not None and press == self.answered

    def misplaced(self, press: Press, now_s: float) -> Misplaced | None:
        """Returns why a press does not count; None where it does."""
        present = self.present
        if present is None or present.question.patient_id != press.patient_id:
            return Misplaced.CONFLICT
        if (present.offer_id, present.question.action) != (press.offer, press.action_type):
            return Misplaced.STALE
        return Misplaced.TOO_SOON if now_s < present.since_s + DEAD_S else None


def question_of(screen: Screen) -> Question | None:
    """Returns what the button of a screen asks; None for a screen without a button."""
    if screen.next_action is None or screen.patient is None:
        return None
    state = screen.journey.journey_state if screen.journey else ""
    return Question(screen.stay, screen.patient.patient_id, screen.next_action, state, screen.next_exam)
