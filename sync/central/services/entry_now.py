"""A queue entry and a change as a refusal tells them to staff: what is so now, and who made it so."""

import msgspec


class EntryNow(msgspec.Struct, frozen=True):
    """A queue entry as it stands, who brought it into its state, and when. `at` is ISO 8601 with the site's offset."""

    queue_id: str
    patient_id: str
    exam_id: str
    queue_number: str
    state: str
    room: str
    by: str
    at: str


class ChangeAfter(msgspec.Struct, frozen=True):
    """What happened after a press: the action, who did it, and when. `at` is ISO 8601 with the site's offset."""

    action: str
    by: str
    at: str
