"""What the touch screen shows, as data: one frozen `Screen`, whole each time, numbered.

The screen decides nothing: `next_action` comes from the rules, words come from the catalogs, and a person's data is
here only while that person stands at the kiosk. Field names on the wire are those of the dataclasses.
"""

from dataclasses import dataclass
from enum import StrEnum


class ScreenKind(StrEnum):
    """Which screen is shown."""

    ATTRACT = "attract"  # nobody is here: what this is for, where to hold the card
    JOURNEY = "journey"  # a known patient: where they stand, the next action, the queue number
    UNKNOWN_CARD = "unknown_card"  # the card reads well, but is bound to nobody here
    REFUSED_CARD = "refused_card"  # a phone, a random id, unreadable: why, and what to do instead
    OUT_OF_ORDER = "out_of_order"  # no reader, or the database refuses: where to go instead


class Notice(StrEnum):
    """One thing that the person should be told on top of the journey."""

    ALREADY_CHECKED_IN = "already_checked_in"  # tapped again in a later state: friendly, never an error
    CALLED = "called"  # you are called: room 3
    NOT_ALLOWED = "not_allowed"  # the pressed action no longer fits; the screen shows what does
    SEE_DESK = "see_desk"  # an action of this patient waits for staff
    REVERSED = "reversed"  # what the kiosk had accepted was decided otherwise at the centre
    NO_BOOKING = "no_booking"  # nothing is booked today (only said when the roster is fresh)


@dataclass(frozen=True, slots=True)
class KioskView:
    """This kiosk, as people know it. `desk` is where staff are found, in the hospital's own words ("": unknown)."""

    kiosk_id: str
    name: str
    desk: str = ""


@dataclass(frozen=True, slots=True)
class CentralView:
    """How the centre looks from here. `as_of` (ISO 8601 with offset) is when the roster was last known to be whole."""

    online: bool
    as_of: str | None


@dataclass(frozen=True, slots=True)
class PatientView:
    """The person on the screen: a masked name, never the full one."""

    patient_id: str
    masked_name: str
    language: str


@dataclass(frozen=True, slots=True)
class Booking:
    """One of today's appointments. `exam_name` is the public label; `scheduled_at` is ISO 8601 with offset. `over`: it
    needs nobody's attention any more."""

    appointment_id: str
    exam_id: str
    exam_name: str
    room: str
    scheduled_at: str
    status: str
    over: bool = False


@dataclass(frozen=True, slots=True)
class QueueLine:
    """One place in a line. Minutes for `estimated_wait_time`. It and `people_ahead` are None where nobody waits there
    any more, or where the roster is too old to say. `label_aliases` are numbers that other kiosks printed for the same
    place. `called`: the patient is expected in the room."""

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


@dataclass(frozen=True, slots=True)
class JourneyView:
    """The patient's current state, with the field names of the centre's public interface."""

    journey_state: str
    queue_details: tuple[QueueLine, ...]
    appointments: tuple[Booking, ...]
    available_actions: tuple[str, ...]
    timestamp: str


@dataclass(frozen=True, slots=True)
class Screen:
    """Everything that the page needs. `frame` rises by one with each change, so that a gap shows.

    `ways` are the ways through the hospital, each a list of the names of its steps. `way` and `step` say where
    the patient stands, both from 0. Without a patient it is the first step of the first way.
    `next_action` is the one big button (None: nothing to press here now). `ticket` is the current entry's line.
    `confirmed`: the centre has judged everything this patient did here. `remaining_s`: seconds until the screen goes
    back to `attract` by itself (None: it stays); `keeps_left`: how often "keep using" may still extend that.
    `reason` is the refused card's reason code, or what is out of order.
    """

    frame: int
    screen: ScreenKind
    kiosk: KioskView
    central: CentralView
    languages: tuple[str, ...]
    ways: tuple[tuple[str, ...], ...] = ()
    way: int = 0
    step: int = 0
    patient: PatientView | None = None
    journey: JourneyView | None = None
    next_action: str | None = None
    ticket: QueueLine | None = None
    confirmed: bool = True
    notice: Notice | None = None
    reason: str | None = None
    remaining_s: float | None = None
    keeps_left: int = 0
