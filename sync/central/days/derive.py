"""Derives the moment and the day of a booking again, where the clock of the site was corrected."""

from msgspec.structs import replace

from sync.central.days.schedule import schedule
from sync.central.records.appointments import BookingRow, read_booking, write_booking
from sync.central.records.entries import patient_in_line_for
from sync.central.records.journeys import mark_changed
from sync.central.records.site import SiteSettings
from sync.central.store.transactions import WriteTransaction
from sync.journey.definitions import Definitions


def derive_booking(
    db: WriteTransaction, definitions: Definitions, settings: SiteSettings, today: str, appointment_id: str
) -> bool:
    """Derives one booking from the hospital's own words, and announces a change. Returns whether it changed.

    A booking in use stays on the day of its visit. One that lapsed on an earlier day, and is of today or later by the
    right clock, stands again.
    """
    before = read_booking(db, appointment_id)
    if before is None:
        return False
    when = schedule(settings, before.schedule.said)
    if patient_in_line_for(db, appointment_id, definitions.live) is not None:
        when = replace(when, site_day=before.schedule.site_day)
    elif when.site_day < today <= when.last_day and before.schedule.site_day >= today:
        when = replace(when, site_day=today)
    if when == before.schedule:
        return False
    status = definitions.fresh_appointment if _lapsed_too_soon(definitions, before, when.site_day, today) else None
    write_booking(db, replace(before, schedule=when, status=status or before.status))
    mark_changed(db, before.patient_id)
    return True


def _lapsed_too_soon(definitions: Definitions, before: BookingRow, site_day: str, today: str) -> bool:
    has_lapsed = before.status == definitions.day_end.appointments_to and before.schedule.site_day < today
    return has_lapsed and site_day >= today
