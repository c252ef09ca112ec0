"""Why an old row was not taken as it was, and what becomes of it: settled by the rules, or bad and kept as it was."""

from collections.abc import Collection
from enum import Enum

from sync.central.records.legacy import Fate


class Reason(Enum):
    """A fault of an old row: its fate, and a sentence with what was done."""

    NO_PATIENT = Fate.BAD, "it names no patient"
    UNKNOWN_PATIENT = Fate.BAD, "its patient is not among the users of the old system"
    UNUSABLE_ID = Fate.BAD, "an id is empty, too long, or holds what nobody sees"
    DUPLICATE = Fate.BAD, "a row before it has the same id, or is about the same patient"
    NO_EXAM = Fate.BAD, "it names no exam"
    UNKNOWN_EXAM = Fate.BAD, "its exam is unknown here: import the exam, and try again"
    UNKNOWN_STATE = Fate.BAD, "its state is unknown: give the name in the layout, under [states]"
    UNREADABLE_TIME = Fate.BAD, "its time is missing or cannot be read"
    OTHER_PATIENT = Fate.BAD, "an imported booking of the same id is another patient's"
    UNKNOWN_ENTRY = Fate.BAD, "its queue row is missing or bad"

    IMPORTED = Fate.SETTLED, "the booking was imported already, and stays as it is"
    SPELLING = Fate.SETTLED, "its state is spelled otherwise, and is taken for the known one"
    NO_TIME = Fate.SETTLED, "it has no time that can be read, and gets that of the migration"
    FUTURE = Fate.SETTLED, "its time has not come, and is that of the migration"
    NUMBER = (
        Fate.SETTLED,
        "it waits without a number, or another one waits with the same: it gets a number of the centre",
    )
    UNKNOWN_BOOKING = Fate.SETTLED, "its appointment is missing, bad or not its own: it stands without one"
    LAPSED = Fate.SETTLED, "its day has ended: the booking was missed"
    DAY_ENDED = Fate.SETTLED, "its day has ended: the patient was not seen"
    SECOND_ENTRY = Fate.SETTLED, "the patient waits for the exam by another row: this one is cancelled"
    BOOKING_FOLLOWS = Fate.SETTLED, "the booking follows its queue row"
    ORPHAN = Fate.SETTLED, "it waits or is seen without a live queue row: the journey begins again, or its exam is done"
    FOLLOWS_ENTRY = Fate.SETTLED, "the journey follows its queue row"
    NO_STATE = Fate.SETTLED, "its patient has no usable state: the journey follows it"
    ILLEGAL = Fate.SETTLED, "no rule allows this change: it is kept as history"
    METADATA = Fate.SETTLED, "its metadata is no JSON object or too large: it is in the kept row alone"

    @property
    def code(self) -> str:
        """The name in lists and in the database."""
        return self.name.lower()

    @property
    def fate(self) -> Fate:
        """What becomes of a row with this fault."""
        return self.value[0]

    @property
    def words(self) -> str:
        """The fault and what was done about it, for the operator."""
        return self.value[1]


def fate_of(reasons: Collection[Reason]) -> Fate:
    """What becomes of a row with these faults."""
    fates = {reason.fate for reason in reasons}
    return Fate.BAD if Fate.BAD in fates else Fate.SETTLED if fates else Fate.TAKEN
