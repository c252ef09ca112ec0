"""What the words depend on: the journey, its current entry, the deed here, and what the centre says. Plain values."""

from enum import StrEnum

from msgspec import Struct


class Deed(StrEnum):
    """What was done at this screen since the person came."""

    NOTHING = "nothing"
    HELD = "held"  # the card was just held; the screen acts in a moment
    TAPPED_AGAIN = "tapped_again"  # the tap changed nothing
    ACCEPTED = "accepted"  # an action was accepted, `Situation.done`
    REFUSED = "refused"  # the rules refused a press


class Entry(Struct, frozen=True):
    """The current queue entry. `live`: the patient may still be seen on it. `room` is "" where it is not known.

    `moved_from` is the exam that its ticket names, "" where that is `exam`. `is_room_changed`: its ticket names another
    room than `room`. `is_of_another_day`: its booking is none of today any more.
    """

    state: str
    number: str
    exam: str
    room: str = ""
    live: bool = True
    moved_from: str = ""
    is_room_changed: bool = False
    is_of_another_day: bool = False


class Exam(Struct, frozen=True):
    """The exam that comes next. `number` is that of a live entry of it, "" without one."""

    name: str
    number: str = ""


class Reversed(Struct, frozen=True):
    """An action that was accepted here and decided differently by the centre.

    `number` is the queue number that it gave and that no longer counts; "" where it gave none.
    """

    action: str
    number: str = ""


class Situation(Struct, frozen=True):
    """Where a patient stands, as one screen knows it.

    `journey` is the state of the journey. `done` names the accepted action, `button` the action that the screen offers
    ("": none). `has_bookings`: the patient had a booking for today, open or over. `next` is the exam that comes next;
    None where neither a booking nor a live entry is left. `pending`: actions of the patient here wait for the centre.
    `needs_staff`: one waits for staff. `awaited`: one waits for another system of the hospital. `online`: the centre
    answers, so the data is fresh. `provisional`: the patient is known by the card alone. `name` is the masked name and
    `desk` where the staff are, in the hospital's own words; "" where they are not known.
    """

    journey: str
    entry: Entry | None = None
    deed: Deed = Deed.NOTHING
    done: str = ""
    button: str = ""
    has_bookings: bool = False
    next: Exam | None = None
    pending: bool = False
    needs_staff: bool = False
    awaited: bool = False
    reversals: tuple[Reversed, ...] = ()
    online: bool = True
    provisional: bool = False
    name: str = ""
    desk: str = ""

    @property
    def entry_state(self) -> str:
        """The state of the current entry; "" without one."""
        return self.entry.state if self.entry else ""

    @property
    def is_of_another_day(self) -> bool:
        """Whether the booking of the current entry is none of today any more."""
        return self.entry is not None and self.entry.is_of_another_day

    @property
    def has_button(self) -> bool:
        """Whether the screen offers an action."""
        return bool(self.button)

    @property
    def has_next(self) -> bool:
        """Whether an exam or a live number is left."""
        return self.next is not None

    def values(self) -> dict[str, str]:
        """Returns the values of the places in a text, by their names."""
        entry, following = self.entry, self.next
        room = entry.room if entry else ""
        return {
            "name": self.name,
            "desk": self.desk,
            "room": room,
            # Staff often call into a room by its number alone. "Please go to 3" is no place.
            "room_number": room if room.isdecimal() else "",
            "exam": entry.exam if entry else "",
            "moved_from": entry.moved_from if entry else "",
            "number": entry.number if entry else "",
            "next": following.name if following else "",
            "next_number": following.number if following else "",
        }
