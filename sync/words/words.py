"""What is said in a situation: the cause, the next step, the place, and what stands beside them."""

from enum import StrEnum

from msgspec import Struct

from sync.words.text import Text


class Place(StrEnum):
    """Where the next step is."""

    HERE = "here"  # on this screen
    ROOM = "room"  # in the room of the entry: the patient is to go in
    FRONT = "front"  # in front of that room
    INSIDE = "inside"  # in that room, where the exam is in progress
    DESK = "desk"
    PAYMENT = "payment"
    EXIT = "exit"


class NoteKind(StrEnum):
    """What a note is about."""

    REVERSED = "reversed"  # the centre decided differently from this kiosk
    MOVED = "moved"  # the ticket names another exam or another room
    REFUSED = "refused"  # the rules refused the press
    NEEDS_STAFF = "needs_staff"  # an action of the patient waits for staff
    AWAITED = "awaited"  # one waits for another system of the hospital
    REPEATED = "repeated"  # a second tap


class Receipt(StrEnum):
    """How far the check-in of a number has come."""

    CONFIRMED = "confirmed"
    PENDING = "pending"
    SAVED = "saved"  # the centre cannot be reached


class Note(Struct, frozen=True):
    """A sentence beside the next step. `tone` is "good" or "mild"; `icon` names a picture."""

    kind: NoteKind
    text: Text
    icon: str
    tone: str


class Stamp(Struct, frozen=True):
    """How far the check-in of the shown number has come, in words."""

    kind: Receipt
    text: Text


class Button(Struct, frozen=True):
    """The label of an action."""

    label: Text
    icon: str


class Words(Struct, frozen=True):
    """What a patient is told.

    `title` is the cause: what stands now. `lead` is the next step. `place` is where that is, in words in `where` (None:
    on this screen). `has_ticket`: the number of the current entry is shown. `banner` says that the person may go,
    though the centre cannot be reached.
    """

    title: Text
    lead: Text
    place: Place
    where: Text | None
    has_ticket: bool
    notes: tuple[Note, ...] = ()
    stamp: Stamp | None = None
    banner: Text | None = None
