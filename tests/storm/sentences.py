"""The oracle of sentences: what must be so where the English page says this. It knows the kiosk's rows, not its words.

A sentence that no row of the table knows is not judged. A new wording needs a row here, or loses its judge.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sync.journey.definitions import shipped
from sync.journey.model import QueueEntry
from tests.storm.kiosk_rows import NEEDS_STAFF, SUPERSEDED, View

RULES = shipped()
NUMBER = re.compile(r"\b[A-Z]{1,4}-\d{3,}\b")
NAME = re.compile(r"A\d+x\*\d")  # the masked names of the storm's people
GONE = re.compile(r"no longer|not valid|instead|was changed", re.IGNORECASE)
PLACE = re.compile(r"Room \d|1층|desk|staff|way out", re.IGNORECASE)


@dataclass(frozen=True)
class Look:
    """One look: what the glass shows, the daemon's screen, the kiosk's view of its patient, and whose cards were held.

    `shown` has the lines of the content and the banner. `allowed` are the names that may be on the glass.
    """

    shown: Mapping[str, Any]
    screen: Mapping[str, Any]
    known: View | None
    allowed: frozenset[str]

    @property
    def lines(self) -> Sequence[str]:
        return tuple(self.shown["lines"])

    @property
    def has_button(self) -> bool:
        return self.shown["label"] is not None


@dataclass(frozen=True)
class Facts:
    """What the kiosk knows of the patient on the screen."""

    look: Look
    known: View

    @property
    def state(self) -> str:
        return self.known.journey.state

    @property
    def current(self) -> str | None:
        current = self.known.journey.current
        return current.state if current else None

    @property
    def live(self) -> tuple[QueueEntry, ...]:
        return tuple(entry for entry in self.known.journey.entries if entry.state in RULES.live)

    @property
    def bookings_open(self) -> bool:
        return any(a.status in RULES.open_appointments for a in self.known.journey.appointments)

    def has(self, state: str) -> bool:
        """Whether an entry or a booking of today is in this state."""
        journey = self.known.journey
        return state in {entry.state for entry in journey.entries} | {a.status for a in journey.appointments}

    @property
    def is_more_to_do(self) -> bool:
        """Whether a booking or a place in a line is left."""
        return bool(self.live) or self.bookings_open

    @property
    def shows_number(self) -> bool:
        return any(NUMBER.search(line) for line in self.look.lines)

    @property
    def is_online(self) -> bool:
        return bool(self.look.screen["central"]["online"])

    @property
    def is_in_line(self) -> bool:
        """Whether the patient waits in any line."""
        return any(entry.state in {"waiting", "delayed"} for entry in self.live)

    @property
    def has_left(self) -> bool:
        """Whether the last thing done here was to leave the hospital."""
        last = self.known.rows[-1].action_type if self.known.rows else None
        return last == "leave_hospital" and self.state == "UNREGISTERED"

    @property
    def numbers(self) -> set[str]:
        return {number for entry in self.live for number in (entry.queue_number, *entry.label_aliases)}


@dataclass(frozen=True)
class Sentence:
    """A form of words, and what must be so where the page says it."""

    says: str
    only_if: Callable[[Facts], bool]

    def matches(self, line: str) -> bool:
        return re.search(self.says, line, re.IGNORECASE) is not None


SENTENCES = (
    # Where the person stands.
    Sentence(r"not checked in yet", lambda f: f.state in _BEFORE_REGISTRATION and not f.look.has_button),
    Sentence(r"shall we check you in", lambda f: f.state == "UNREGISTERED"),
    Sentence(r"^no appointment today", lambda f: not f.known.journey.appointments),
    Sentence(r"^no appointment is left|go on without one", lambda f: not f.bookings_open),
    Sentence(r"cannot (check in|do that) at this kiosk", lambda f: not f.look.has_button),
    Sentence(r"^you are registered", lambda f: f.state == "REGISTERED"),
    Sentence(r"arrival is not confirmed", lambda f: f.state == "REGISTERED"),
    Sentence(r"^you are checked in already", lambda f: bool(f.live)),
    Sentence(r"until (it|your number) is called", lambda f: f.current in {"waiting", "delayed"} and f.shows_number),
    Sentence(r"^your number(,|$)", lambda f: f.current in {"waiting", "delayed"} and f.shows_number),
    Sentence(r"^at room|show you where to wait", lambda f: f.current in {"waiting", "delayed"}),
    Sentence(r"(person|people) ahead|^you are next|^about \d+ min", lambda f: f.is_online and f.is_in_line),
    Sentence(r"takes a little longer|^delayed|^a little late", lambda f: f.has("delayed")),
    Sentence(r"go in now|your turn", lambda f: f.current == "called"),
    Sentence(r"^please go to room", lambda f: f.current == "called"),
    Sentence(r"^called$", lambda f: f.has("called")),
    Sentence(r"^you are being seen|^in progress", lambda f: f.has("in_progress")),
    Sentence(r"follow what the staff tell", lambda f: f.current == "in_progress"),
    Sentence(r"not here|did not come|to the desk with your number", lambda f: f.current == "no_show"),
    Sentence(r"^missed", lambda f: f.has("no_show")),
    Sentence(r"^waiting$", lambda f: f.has("waiting")),
    Sentence(r"^done$", lambda f: f.has("completed")),
    Sentence(r"exam is (done|finished)$|have finished", lambda f: f.current == "completed"),
    Sentence(r"cancelled", lambda f: f.has("cancelled")),
    Sentence(r"exam was cancelled", lambda f: f.current == "cancelled"),
    Sentence(r"no number of yours", lambda f: f.current in {None, "completed", "cancelled"}),
    Sentence(r"what comes next for you|^next is|still to come", lambda f: f.is_more_to_do),
    Sentence(r"go to the payment desk", lambda f: f.state == "PAYMENT" or not f.is_more_to_do),
    Sentence(r"^payment is under way|finish your payment", lambda f: f.state == "PAYMENT"),
    Sentence(r"^your payment is done", lambda f: f.state == "FINISHED"),
    Sentence(r"(all|everything) is done", lambda f: f.state == "FINISHED" and not f.is_more_to_do),
    Sentence(r"^goodbye|visit is over", lambda f: f.has_left),
    Sentence(r"get well soon|way out", lambda f: f.has_left or f.state == "FINISHED"),
    # What became of the actions here.
    Sentence(r"no need to (tap|hold)", lambda f: f.known.pending > 0 and not f.look.has_button),
    Sentence(r"^(confirmed|check-in (is )?complete)", lambda f: f.known.pending == 0 and not f.known.has(NEEDS_STAFF)),
    Sentence(
        r"^saved|is saved|being (confirmed|processed)|sent on later",
        lambda f: f.known.pending > 0 or f.known.has(NEEDS_STAFF),
    ),
    Sentence(r"decided otherwise|was changed|no longer valid", lambda f: f.known.has(SUPERSEDED)),
    Sentence(r"need to check something|see the staff", lambda f: f.known.has(NEEDS_STAFF) or f.known.provisional),
    Sentence(r"will ask who you are", lambda f: f.known.provisional),
    Sentence(r"the button below", lambda f: f.look.has_button),
)
_PRESS = re.compile(r'press "([^"]+)"', re.IGNORECASE)
_BEFORE_REGISTRATION = ("UNREGISTERED", "ARRIVED")


def untruths(look: Look) -> list[str]:
    """What the screen says, and the kiosk's state contradicts."""
    found = [*_strangers(look)]
    if look.shown["patient"] != (look.screen["patient"] or {}).get("patient_id"):
        found.append(f"the glass is about {look.shown['patient']}, and the kiosk about {look.screen['patient']}")
    if look.shown["screen"] != "journey" or look.known is None or look.shown["language"] != "en":
        return found
    facts = Facts(look, look.known)
    faults = (*_contradicted(facts), *_missing_buttons(facts), *_dead_numbers(facts), *_without_a_way(facts))
    return [*found, *dict.fromkeys(faults)]


def _strangers(look: Look) -> Iterator[str]:
    """Names of people whose card is not the last that was held. Nobody's name stays after they have left."""
    allowed = look.allowed if look.screen["patient"] else frozenset[str]()
    yield from (f"the name {name} is on the glass" for name in set(NAME.findall(look.shown["whole"])) - allowed)


def _contradicted(facts: Facts) -> Iterator[str]:
    for line in facts.look.lines:
        for sentence in SENTENCES:
            if sentence.matches(line) and not sentence.only_if(facts):
                yield f'the screen says "{line}" in {_told(facts)}'


def _missing_buttons(facts: Facts) -> Iterator[str]:
    """A sentence that names a button, where the page has another one or none."""
    label = str(facts.look.shown["label"] or "")
    for line in facts.look.lines:
        for name in _PRESS.findall(line):
            if not label.startswith((name, "One moment")):
                yield f'the screen says "{line}", and its button is "{label}"'


def _dead_numbers(facts: Facts) -> Iterator[str]:
    for line in facts.look.lines:
        for number in NUMBER.findall(line):
            if (number in facts.numbers) == bool(GONE.search(line)):
                yield f'the screen says "{line}", where the live numbers are {sorted(facts.numbers)}'


def _without_a_way(facts: Facts) -> Iterator[str]:
    """A screen of a person without a next step and a place for it."""
    if facts.look.screen["settling"] or facts.look.has_button:
        return
    if not any(PLACE.search(line) for line in facts.look.lines):
        yield f"the screen names no place to go to, in {_told(facts)}: {list(facts.look.lines)}"


def _told(facts: Facts) -> str:
    button = "a button" if facts.look.has_button else "no button"
    online = "online" if facts.is_online else "offline"
    return f"{facts.state}, entry {facts.current}, {facts.known.pending} pending, {button}, {online}"
