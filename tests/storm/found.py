"""The faults that the storm has found, or that a changed product showed it to miss, each as its shortest story."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.storm.story import (
    BOOKED_ONCE,
    BOOKED_TWICE,
    CLEAR_MS,
    LIVE_MS,
    UNBOOKED,
    Ambush,
    Cut,
    Enter,
    Finger,
    Heal,
    Hold,
    Moment,
    Pause,
    Staff,
    Step,
)

CALM = Finger("next")
CHECKED_IN = [Hold(BOOKED_ONCE), CALM, CALM]


def _by_staff(*acts: str) -> list[Step]:
    return [Staff(act, BOOKED_ONCE) for act in acts]


def _after_the_next_tap(pause_ms: int, down_ms: int) -> list[Step]:
    """A finger is on its way to the button of one person, and the tap of another replaces the screen."""
    return [Hold(BOOKED_ONCE), Ambush(BOOKED_TWICE, Finger("next", pause_ms, down_ms=down_ms))]


def _under_the_next_tap(aim: str) -> list[Step]:
    """A finger is on a button of one person, and comes up from that of the next one."""
    finger = Finger(aim, down_ms=LIVE_MS + 600)
    return [Hold(BOOKED_ONCE), Pause(CLEAR_MS), Ambush(BOOKED_TWICE, finger, Moment.BEFORE_CARD), CALM]


FOUND: Mapping[str, Sequence[Step]] = {
    "a finger that comes down with the next person's screen": _after_the_next_tap(0, 400),
    "a finger that comes down with the next person's button": _after_the_next_tap(260, 80),
    "a finger that comes down after the next person's button": _after_the_next_tap(500, 80),
    "a finger that lies on a button while the next person comes": _under_the_next_tap("next"),
    "a finger that lies on home while the next person comes": _under_the_next_tap("home"),
    "a finger that lies on keep while the next person comes": _under_the_next_tap("keep"),
    "a double tap": [Hold(BOOKED_ONCE), Finger("next", times=2, gap_ms=150)],
    "a double Enter": [Hold(BOOKED_TWICE), Enter("next", LIVE_MS), Enter("next", 0)],
    "a card that was checked in unknown, and whose holder the centre names": [Cut(), Hold(UNBOOKED), CALM, Heal()],
    "a number that was called and missed": [*CHECKED_IN, *_by_staff("call_patient", "mark_no_show"), Hold(BOOKED_ONCE)],
    "an exam that staff cancelled": [*CHECKED_IN, *_by_staff("cancel_appointment"), Hold(BOOKED_ONCE)],
    "the last exam is over": [
        *CHECKED_IN,
        *_by_staff("call_patient", "start_exam", "complete_exam"),
        Hold(BOOKED_ONCE),
    ],
    "a greeting without the network": [Cut(), Hold(BOOKED_TWICE)],
    "a network that goes after the check-in": [*CHECKED_IN, Pause(LIVE_MS), Cut()],
}
