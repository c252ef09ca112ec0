"""What the touch screen shows, as data: one frozen, numbered and complete `Screen`.

The page decides nothing: `next_action` comes from the rules, and `said` from the table of words. The page translates
and draws. A person's data is in it only while that person stands at the kiosk. The JSON field names are those of the
dataclasses.
"""

from enum import StrEnum

from msgspec import Struct

from sync.visit_code import VisitCode
from sync.words.text import Text
from sync.words.words import Button, Words


class ScreenKind(StrEnum):
    """Which screen is shown."""

    ATTRACT = "attract"  # no person: what the kiosk is for, where to hold the card
    JOURNEY = "journey"  # a known patient: the state, the next action, the queue number
    STILL_HERE = "still_here"  # a patient who may have left: the data is hidden until a touch
    UNKNOWN_CARD = "unknown_card"  # the card is readable, but no patient has it
    REFUSED_CARD = "refused_card"  # a phone, a random id, an unreadable card: the reason, and what to do instead
    DESK_CARD = "desk_card"  # a card is for the desk: it is awaited, or was read. No person
    OUT_OF_ORDER = "out_of_order"  # no reader, no enrolment or no writable store: where to go instead


class Lookup(StrEnum):
    """What the centre says about a card that this kiosk does not know."""

    ASKED = "asked"  # the centre has not answered yet
    UNKNOWN = "unknown"  # no patient of the hospital has the card
    UNAVAILABLE = "unavailable"  # the centre cannot be asked now: the card may be a patient's


class DeskState(StrEnum):
    """What becomes of a card for the desk."""

    READY = "ready"  # the kiosk is a reader of the desk, and waits for any card
    WAITS = "waits"  # the desk awaits a card
    SENDS = "sends"  # a card was read, and the centre has not answered yet
    TAKEN = "taken"  # the desk has it
    LATE = "late"  # the desk awaits it no more
    NOT_SENT = "not_sent"  # the centre does not answer
    REFUSED = "refused"  # a card that cannot be used, at a reader of the desk


class DeskCard(Struct, frozen=True):
    """A card for the desk: its state, and the id of the wait. `short_uid`: its UID has 4 bytes."""

    state: DeskState
    ask_id: str = ""
    short_uid: bool = False


class KioskView(Struct, frozen=True):
    """This kiosk, as people know it. `desk` is where the staff are, in the hospital's own words ("": unknown)."""

    kiosk_id: str
    name: str
    desk: str = ""


class CentralView(Struct, frozen=True):
    """Whether the centre answers. `as_of` (ISO 8601 with offset) is when the roster was last complete."""

    online: bool
    as_of: str | None


class PatientView(Struct, frozen=True):
    """The person on the screen, by a masked name."""

    patient_id: str
    masked_name: str
    language: str


class Booking(Struct, frozen=True):
    """One of today's appointments. `exam_name` is the public label; `scheduled_at` is ISO 8601 with offset, or the date
    alone. `over`: it needs no further attention. `word` is the word for its status (None: it needs none), `any_time`
    the words in place of a time (None: it has one)."""

    appointment_id: str
    exam_id: str
    exam_name: str
    room: str
    scheduled_at: str
    status: str
    over: bool = False
    word: Text | None = None
    any_time: Text | None = None


class QueueLine(Struct, frozen=True):
    """One queue entry. `estimated_wait_time` is in minutes. It and `people_ahead` are None where the patient does not
    wait there, or where the roster is too old. `label_aliases` are the numbers that other kiosks printed for the same
    entry. `called`: the patient is expected in the room. `word` (the state), `ahead`, `wait` and `also` (the other
    numbers) are words for these values, None where there is nothing to say."""

    queue_id: str
    exam_id: str
    exam_name: str
    state: str
    queue_number: str
    room: str
    people_ahead: int | None
    estimated_wait_time: int | None
    label_aliases: tuple[str, ...] = ()
    called: bool = False
    word: Text | None = None
    ahead: Text | None = None
    wait: Text | None = None
    also: Text | None = None


class JourneyView(Struct, frozen=True):
    """The patient's current state, with the field names of the centre's API. `timestamp` is ISO 8601 with offset."""

    journey_state: str
    queue_details: tuple[QueueLine, ...]
    appointments: tuple[Booking, ...]
    available_actions: tuple[str, ...]
    timestamp: str


class Screen(Struct, frozen=True):
    """Everything that the page needs. `frame` rises by one with each change, so that the page notices a gap.

    `stay` is the id of the present person's stay at the kiosk, and `offer` that of the offer of `next_action`: what a
    finger does names them. `ways` are the ways through the hospital, each a list of the names of its steps. `way` and
    `step` say where the patient is, both from 0; without a patient it is the first step of the first way.
    `next_action` is the action of the one big button (None: no button), `button` its label, and `next_exam` the id of
    the exam that it is about ("": of none). `said` is what a known patient is told. `ticket` is the current queue
    entry, where its number still counts. `confirmed`: the centre has judged every action of this patient here. `reason`
    is why the card is refused, or what is out of order. `remaining_s`: seconds until the screen goes back to `attract`
    by itself (None: it stays). `keeps_left`: how often "keep using" may still extend that. `slow`: the person has more
    time for everything. `settling`: the card was just held, and the kiosk acts in a moment. `lookup` is the centre's
    answer about an unknown card. `visit_code` is the QR code that opens the visit to a telephone.
    `desk_card` is what becomes of a card for the desk.
    """

    frame: int
    screen: ScreenKind
    kiosk: KioskView
    central: CentralView
    languages: tuple[str, ...]
    stay: str = ""
    ways: tuple[tuple[str, ...], ...] = ()
    way: int = 0
    step: int = 0
    patient: PatientView | None = None
    journey: JourneyView | None = None
    next_action: str | None = None
    next_exam: str = ""
    button: Button | None = None
    said: Words | None = None
    offer: str | None = None
    ticket: QueueLine | None = None
    confirmed: bool = True
    reason: str | None = None
    remaining_s: float | None = None
    keeps_left: int = 0
    slow: bool = False
    settling: bool = False
    lookup: Lookup | None = None
    visit_code: VisitCode | None = None
    desk_card: DeskState | None = None
