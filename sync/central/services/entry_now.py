"""A queue entry and a change as a refusal tells them to staff: what is so now, and who made it so."""

import msgspec


class EntryNow(msgspec.Struct, frozen=True):
    """A queue entry as it stands, who brought it into its state, and when. `at` is ISO 8601 with the site's offset.

    `by` is a name, and `by_kind` whose name it is, as in the row of a board.
    """

    queue_id: str
    patient_id: str
    exam_id: str
    queue_number: str
    state: str
    room: str
    by: str
    by_kind: str
    at: str


class ChangeAfter(msgspec.Struct, frozen=True):
    """What happened after a press: the action, who did it, and when, as in an entry."""

    action: str
    by: str
    by_kind: str
    at: str
