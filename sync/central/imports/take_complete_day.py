"""Takes a complete day: a document that names every booking of a day cancels the others."""

from collections.abc import Collection

import msgspec

from sync.central.centre import Centre
from sync.central.records.appointments import set_appointment_status
from sync.central.records.journeys import mark_changed
from sync.journey.meaning import came_to_nothing


class DayAnswer(msgspec.Struct, frozen=True):
    """The number of bookings that a complete day cancelled, or why it cancelled none."""

    cancelled: int = 0
    refused: str = ""


def take_complete_day(centre: Centre, day: str, named: Collection[str], *, force: bool, check: bool) -> DayAnswer:
    """Cancels the bookings of a day that a document does not name."""
    cancelled = next(rule.no_entry for rule in centre.definitions.actions.values() if rule.no_entry)
    kept = set(named)
    with centre.store.write() as db:
        rows = db.rows("select appointment_id, patient_id, status from appointments where site_day = :day", day=day)
        open_ = [row for row in rows if not came_to_nothing(centre.definitions, row["status"])]
        left_out = [row for row in open_ if row["appointment_id"] not in kept]
        if not force and len(left_out) * 5 > len(open_):
            return DayAnswer(refused=f"it would cancel {len(left_out)} of {len(open_)} bookings")
        for row in left_out if not check else ():
            set_appointment_status(db, row["appointment_id"], cancelled)
            mark_changed(db, row["patient_id"])
    return DayAnswer(len(left_out))
