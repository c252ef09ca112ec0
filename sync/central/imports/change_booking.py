"""Writes what a document made of a booking. The queue entry of the booking follows it, or staff get a case."""

from typing import Any

from msgspec.structs import replace

from sync.central.days.open_journey import open_journey
from sync.central.imports.announce import announce
from sync.central.imports.context import ImportContext
from sync.central.records.appointments import BookingRow, bookings, write_booking
from sync.central.records.cases import BOOKING_MOVED, NewCase, cases_of, close_case, open_case
from sync.central.records.entries import patient_in_line_for
from sync.central.records.history import day_end
from sync.central.records.journeys import mark_changed, save
from sync.central.records.roster import is_on_roster
from sync.clock import day_after
from sync.journey.grace import GRACE_MS
from sync.journey.model import Journey, QueueEntry
from sync.journey.moves import follow_booking


def booking_in_line(context: ImportContext, appointment_id: str) -> tuple[Journey, QueueEntry] | None:
    """The journey of today whose live entry is for this booking, and the entry; None where no one waits for it.

    A day of the patient that has ended is closed first, with its bookings.
    """
    db, definitions = context.db, context.definitions
    patient_id = patient_in_line_for(db, appointment_id, definitions.live)
    if patient_id is None:
        return None
    journey = open_journey(db, definitions, patient_id, context.today, day_end(context.now_ms))
    assert journey is not None
    live = (e for e in journey.entries if e.appointment_id == appointment_id and e.state in definitions.live)
    entry = next(live, None)
    return (journey, entry) if entry else None


def change_booking(
    context: ImportContext, after: BookingRow, before: BookingRow | None, line: tuple[Journey, QueueEntry] | None
) -> None:
    """Writes a booking, announces it, and lets the queue entry follow. `line` is what `booking_in_line()` found."""
    after = _on_day_of_use(context, after, in_line=line is not None)
    was_on_roster = is_on_roster(context.db, context.definitions, after.patient_id, context.today)
    write_booking(context.db, after)
    if line is None:
        announce(context, after.patient_id, was_on_roster=was_on_roster)
        return
    journey, entry = line
    day = journey.site_day  # the next one, where it begins just now
    now = replace(journey, appointments=bookings(context.db, after.patient_id, day, day_after(day)))
    decision = follow_booking(context.definitions, now, entry)
    if decision is None or decision.journey == now:
        mark_changed(context.db, after.patient_id)
    else:
        save(context.db, journey, decision, context.provenance)
    _close_cases(context, after)
    if decision is None and before is not None:
        _report(context, journey, entry, before, after)


def _on_day_of_use(context: ImportContext, booking: BookingRow, *, in_line: bool) -> BookingRow:
    """The booking, of today where the grace at the boundary of a day lets it be used today.

    One of tomorrow becomes one of today only where the patient is in line for it: else its use brings it forward.
    """
    when, today = booking.schedule, context.today
    is_near = not when.all_day and abs(when.scheduled_ms - context.now_ms) <= GRACE_MS
    is_reached = in_line and when.site_day == day_after(today)
    if is_near and (is_reached or when.site_day < today <= when.last_day):
        return replace(booking, schedule=replace(when, site_day=today))
    return booking


def _close_cases(context: ImportContext, after: BookingRow) -> None:
    """Closes the cases about an earlier change of this booking: what they say is no longer so."""
    for case in cases_of(context.db, BOOKING_MOVED, after.patient_id):
        if case.settled_ms is None and case.detail["appointment_id"] == after.appointment_id:
            settlement = {"how": "discard", "reason": "the hospital has changed the booking again", "patient_id": None}
            close_case(context.db, case.exception_id, context.who, settlement, context.now_ms)


def _report(context: ImportContext, journey: Journey, entry: QueueEntry, before: BookingRow, after: BookingRow) -> None:
    detail = {
        "appointment_id": after.appointment_id,
        "queue_id": entry.queue_id,
        "queue_number": entry.queue_number,
        "entry_state": entry.state,
        "before": _shown(before),
        "after": _shown(after),
    }
    new = NewCase(BOOKING_MOVED, None, detail, after.patient_id, visit_id=journey.visit_id)
    open_case(context.db, context.ids(), new, context.now_ms)


def _shown(booking: BookingRow) -> dict[str, Any]:
    """A booking in the detail of a case: what may have changed of it."""
    return {
        "exam_id": booking.exam_id,
        "scheduled_at": booking.schedule.said,
        "site_day": booking.schedule.site_day,
        "status": booking.status,
    }
