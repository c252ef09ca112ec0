"""The values of the rules: a patient's journey, its queue entries and appointments, actions and decisions.

All values are frozen; times are UTC milliseconds since 1970 (`*_ms`); ids are strings of their own types. They are
structs, since an action makes dozens of them: a frozen dataclass takes ten times as long to make, and more to change.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NewType

import msgspec
from msgspec.structs import replace

PatientId = NewType("PatientId", str)
VisitId = NewType("VisitId", str)
QueueId = NewType("QueueId", str)
ExamId = NewType("ExamId", str)
AppointmentId = NewType("AppointmentId", str)
ActionId = NewType("ActionId", str)
KioskId = NewType("KioskId", str)
BindingId = NewType("BindingId", str)


class Role(StrEnum):
    """Who asks. Programs that watch the service ask for no action."""

    PATIENT = "patient"
    VISIT = "visit"  # who has the secret of a visit
    KIOSK = "kiosk"
    STAFF = "staff"
    SYSTEM = "system"
    METRICS = "metrics"
    INTEGRATION = "integration"  # a program of the hospital's system


class Trigger(StrEnum):
    """What set a transition off, as its history row says."""

    NFC_TAG = "nfc_tag"
    PATIENT_ACTION = "patient_action"
    STAFF_ACTION = "staff_action"
    QUEUE_SYNC = "queue_sync"  # the journey followed its queue entry
    SYSTEM_AUTO = "system_auto"  # a day of the site ended
    LEGACY = "legacy"  # the system that was here before


UNSENT = frozenset({Trigger.QUEUE_SYNC, Trigger.SYSTEM_AUTO, Trigger.LEGACY})  # no sender can set these off


class BuiltIn(StrEnum):
    """The actions of the rules themselves, as history rows name them. The definitions do not have them."""

    QUEUE_SYNC = "queue_sync"
    CLOSE_DAY = "close_day"
    CHANGE_ENTRY = "change_entry"
    CORRECT_JOURNEY = "correct_journey"
    MOVE_BOOKING = "move_booking"  # the hospital moved or cancelled the booking of an entry
    TAKE_BACK = "take_back"  # staff took back what a kiosk did
    UNDO = "undo_press"  # staff took back what staff did
    CALL_NEXT = "call_next"  # staff called the first in a line
    CALL_AGAIN = "call_again"  # staff called a patient once more
    MOVE_ENTRY = "move_entry"  # staff moved an entry to another line, or within its own
    SET_PRIORITY = "set_priority"
    SET_NOTE = "set_note"
    LEGACY = "legacy"  # done in the system that was here before, by rules of its own


class EntryEvent(StrEnum):
    """What the hospital's system is told of a queue entry that goes on. Its names are those of the feed of events."""

    CALLED = "called"
    STARTED = "started"
    COMPLETED = "completed"
    NO_SHOW = "no_show"
    CANCELLED = "cancelled"


class Actor(msgspec.Struct, frozen=True):
    """Who asks: a role and, for a kiosk, the actions that the centre grants it."""

    role: Role
    grants: frozenset[str] = frozenset()


PATIENT = Actor(Role.PATIENT)
VISIT = Actor(Role.VISIT)
STAFF = Actor(Role.STAFF)
SYSTEM = Actor(Role.SYSTEM)


class LineOrder(StrEnum):
    """What the line of an exam stands by: the times of arrival, or the booked times."""

    ARRIVAL = "arrival"
    BOOKING = "booking"


class Exam(msgspec.Struct, frozen=True):
    """An exam, or the walk-in desk. `public_label` is what a screen may show; the title may tell a diagnosis.

    `by_booking`: its line stands by the booked times. Otherwise it stands by the times of arrival.
    """

    exam_id: ExamId
    title: str
    public_label: str
    room: str
    minutes: int = 10
    overnight: bool = False
    by_booking: bool = False

    @property
    def order(self) -> LineOrder:
        """What the line of the exam stands by."""
        return LineOrder.BOOKING if self.by_booking else LineOrder.ARRIVAL


class Appointment(msgspec.Struct, frozen=True):
    """A booking of today. `exam_name` is the exam's public label.

    `all_day`: it has no time, and the exam may be at any time of the day. `scheduled_ms` is the start of the day then.
    `last_day` is the last site day on which it can be used (`sync.journey.grace`); "" means its own day. `by_booking`
    is that of its exam.
    """

    appointment_id: AppointmentId
    exam_id: ExamId
    exam_name: str
    room: str
    scheduled_ms: int
    status: str
    minutes: int = 10
    overnight: bool = False
    all_day: bool = False
    last_day: str = ""
    by_booking: bool = False


class QueueEntry(msgspec.Struct, frozen=True):
    """A place in the line of one exam. `queue_number` is the printed label; it never changes.

    `appointment_id` is the booking that the patient is in the line for; None at the walk-in desk. `moved_from` and
    `moved_from_room` are what the ticket says: the name of the exam, where it has another name now, and the room, where
    the patient waits at another room now; else "". `line_ms` is the time by which it stands in the line, where that is
    not the time of arrival (`sync.journey.line`).
    """

    queue_id: QueueId
    exam_id: ExamId
    exam_name: str
    room: str
    state: str
    queue_number: str
    leg: int
    opened_ms: int
    priority: int = 0
    minutes: int = 10
    overnight: bool = False
    label_aliases: tuple[str, ...] = ()
    appointment_id: AppointmentId | None = None
    moved_from: str = ""
    moved_from_room: str = ""
    line_ms: int | None = None


class Journey(msgspec.Struct, frozen=True):
    """One patient's day: journey state, visit, and the day's entries and appointments.

    `leg` counts the exams of the visit; `journey_version` rises by one with each accepted change; `site_day` is the
    day of the site (ISO date) that this journey belongs to.
    """

    patient_id: PatientId
    state: str
    site_day: str
    visit_id: VisitId | None = None
    leg: int = 0
    journey_version: int = 0
    current_queue_id: QueueId | None = None
    entries: tuple[QueueEntry, ...] = ()  # in the order in which they were opened
    appointments: tuple[Appointment, ...] = ()  # in the order of their times, those of the whole day last

    def entry(self, queue_id: QueueId | None) -> QueueEntry | None:
        """The entry of that id, or None."""
        return next((entry for entry in self.entries if entry.queue_id == queue_id), None)

    @property
    def current(self) -> QueueEntry | None:
        """The entry that the journey follows, or None."""
        return self.entry(self.current_queue_id)

    def with_entry(self, changed: QueueEntry) -> "Journey":
        """The journey with one of its entries changed."""
        return replace(self, entries=tuple(changed if e.queue_id == changed.queue_id else e for e in self.entries))


class NextExam(msgspec.Struct, frozen=True):
    """What a confirmed arrival is about: an exam, and the number of its live entry where there is one already."""

    exam_id: ExamId
    exam_name: str
    queue_number: str | None = None


class Opens(msgspec.Struct, frozen=True):
    """The ids and the label of what an action may open. The end that applies the action first makes them."""

    visit_id: VisitId
    queue_id: QueueId
    queue_number: str
    walk_in: Exam


class Action(msgspec.Struct, frozen=True):
    """One intent. `queue_id` or `exam_id` names its entry. Without a name, the action is about the current entry.

    `payload` is the action's own data. The rules read the proof in it (`sync.journey.proof`), and nothing else.
    """

    action_id: ActionId
    action_type: str
    actor: Actor
    at_ms: int
    opens: Opens
    queue_id: QueueId | None = None
    exam_id: ExamId | None = None
    room: str | None = None
    payload: Mapping[str, Any] = {}


class Transition(msgspec.Struct, frozen=True):
    """One row of the journey's history."""

    from_state: str
    action: str
    to_state: str
    trigger_type: str


class EntryChange(msgspec.Struct, frozen=True):
    """One row of the queue's history; `previous` is None where the entry was opened."""

    queue_id: QueueId
    previous: str | None
    new: str
    reason: str


class AppointmentChange(msgspec.Struct, frozen=True):
    """A change of one appointment's status."""

    appointment_id: AppointmentId
    previous: str
    new: str


class Decision(msgspec.Struct, frozen=True):
    """An accepted action: the journey after the action, and the history rows of the action."""

    journey: Journey
    transitions: tuple[Transition, ...]
    entry_changes: tuple[EntryChange, ...] = ()
    appointment_changes: tuple[AppointmentChange, ...] = ()

    @property
    def opened(self) -> QueueEntry | None:
        """The entry that this decision opened, or None."""
        return next((self.journey.entry(c.queue_id) for c in self.entry_changes if c.previous is None), None)


class RefusalCode(StrEnum):
    """Why an action is refused; the spelling is the `code` of the public interface."""

    UNKNOWN_ACTION = "unknown_action"
    FORBIDDEN = "forbidden"
    NOT_ALLOWED = "not_allowed"
    NO_SUCH_ENTRY = "no_such_entry"
    ENTRY_NOT_NAMED = "entry_not_named"
    PROOF_MISSING = "proof_missing"
    TOO_LARGE = "too_large"


class Refusal(msgspec.Struct, frozen=True):
    """An action that the rules do not accept. Nothing changes."""

    code: RefusalCode
    action_type: str
    journey_state: str
    available_actions: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        """One English sentence for logs and interfaces; screens have their own words."""
        return _MESSAGES[self.code].format(action=self.action_type[:64], state=self.journey_state)


_MESSAGES: Mapping[RefusalCode, str] = {
    RefusalCode.UNKNOWN_ACTION: "{action!r} is not an action.",
    RefusalCode.FORBIDDEN: "{action} may not be sent by this sender.",
    RefusalCode.NOT_ALLOWED: "{action} is not allowed in state {state}.",
    RefusalCode.NO_SUCH_ENTRY: "{action} names no queue entry or appointment of this patient today.",
    RefusalCode.ENTRY_NOT_NAMED: "{action} needs queue_id or exam_id: only another entry or booking allows it.",
    RefusalCode.PROOF_MISSING: "{action} needs a proof in its payload, such as the id of a receipt.",
    RefusalCode.TOO_LARGE: "{action} carries too much text.",
}
