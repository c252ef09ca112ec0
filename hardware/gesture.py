"""Gestures at the simulated reader, and their results."""

from dataclasses import dataclass
from enum import StrEnum

from hardware.card import RefusedReason

UNPLUGGED = "the simulated reader is unplugged"  # for people, in a status and in a reply


class Gesture(StrEnum):
    """A gesture that a simulated reader carries out."""

    PRESENT = "present"  # hold a card to it and take the card away
    PUT = "put"  # lay a card on it
    LIFT = "lift"  # take that card away
    LIES = "lies"  # a card lies on it since before it looked, as after a restart of its process
    UNPLUG = "unplug"
    PLUG = "plug"


class GestureResult(StrEnum):
    """The result of a gesture. The last four are the supervisor's; the reader itself reports the others."""

    TAPPED = "tapped"
    REFUSED = "refused"
    DEBOUNCED = "debounced"  # no new tap: the same card came back too soon, or never left
    DONE = "done"  # a gesture that brings no card
    NOT_READY = "not_ready"  # the reader is unplugged, starting or stopped
    NO_READER = "no_reader"  # no simulated reader is configured
    FAILED = "failed"  # the card was read, and `on_event` raised an exception
    TIMED_OUT = "timed_out"  # `on_event` has not returned yet


@dataclass(frozen=True, slots=True)
class GestureReply:
    """The reply to a gesture.

    `reason` says why the card was refused, `outcome` is what `on_event` returned, `detail` a sentence for operators.
    """

    result: GestureResult
    reason: RefusedReason | None = None
    outcome: object = None
    detail: str = ""
