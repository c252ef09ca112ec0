"""Words for single things: a button, the state of an entry, the status of a booking, a place in the line."""

from collections.abc import Mapping

from sync.words.text import N_, Phrase, Text, fill, plural
from sync.words.words import Button


def button(action: str, exam: str = "") -> Button:
    """Returns the label of an action. `exam` is the exam that it is about, where the label must name it."""
    label, icon = _BUTTONS.get(action, _ANY_BUTTON)
    return Button(fill(label, {"exam": exam}), icon)


def entry_state(state: str) -> Text | None:
    """Returns the word for the state of a queue entry; None where it needs none or has none."""
    return Text(_ENTRY_STATES[state]) if state in _ENTRY_STATES else None


def booking_status(status: str) -> Text | None:
    """Returns the word for the status of a booking; None where it needs none or has none."""
    return Text(_BOOKING_STATUSES[status]) if status in _BOOKING_STATUSES else None


def any_time() -> Text:
    """Returns the words in place of a time, for an exam that may be at any time of the day."""
    return Text(N_("Any time today"))


def people_ahead(count: int) -> Text:
    """Returns the words for the number of people ahead in the line."""
    return plural("{n} person ahead", "{n} people ahead", count) if count else Text(N_("You are next"))


def wait(minutes: int) -> Text:
    """Returns the words for an expected wait."""
    return plural("About {n} min", "About {n} min", minutes)


def also(numbers: tuple[str, ...]) -> Text | None:
    """Returns the words for other numbers that were printed for the same place; None without any."""
    return Text(N_("also {numbers}"), {"numbers": ", ".join(numbers)}) if numbers else None


_BUTTONS: Mapping[str, tuple[Phrase, str]] = {
    "scan_nfc": ((N_("Check in"),), "card"),
    "register": ((N_("Register now"),), "form"),
    "confirm_arrival": ((N_("Confirm arrival: {exam}"), N_("Confirm arrival")), "arrive"),
    "enter_exam_room": ((N_("I am going in"),), "exam"),
    "complete_exam": ((N_("My exam is done"),), "check"),
    "make_payment": ((N_("Pay now"),), "pay"),
    "leave_hospital": ((N_("Leave the hospital"),), "leave"),
}
_ANY_BUTTON: tuple[Phrase, str] = ((N_("Go on"),), "next")

_ENTRY_STATES: Mapping[str, str] = {
    "delayed": N_("Delayed"),
    "called": N_("Called"),
    "in_progress": N_("In progress"),
    "no_show": N_("Missed"),
    "completed": N_("Done"),
    "cancelled": N_("Cancelled"),
}

_BOOKING_STATUSES: Mapping[str, str] = {
    "waiting": N_("Waiting"),
    "in_progress": N_("In progress"),
    "completed": N_("Done"),
    "no_show": N_("Missed"),
    "cancelled": N_("Cancelled"),
}
