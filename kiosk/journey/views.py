"""A patient's view: the base that the centre sent, with the pending actions replayed on top. It is made and saved."""

import sqlite3
from collections.abc import Iterable

from msgspec.structs import replace

from kiosk.journey.transaction_context import TransactionContext
from kiosk.store import outbox, patients, queue_numbers
from kiosk.store.patients import Patient
from sync.journey.model import PatientId, QueueEntry
from sync.journey.queue_numbers import prefix_of
from sync.rebase import view, with_bookings


def replay(db: sqlite3.Connection, context: TransactionContext, patient_ids: Iterable[PatientId]) -> None:
    """Makes and saves the views of patients. Patients that the kiosk does not know are left out."""
    for patient_id in patient_ids:
        patient = patients.read(db, patient_id)
        if patient is not None:
            after = with_view(db, context, patient)
            patients.save_view(db, after, patient)
            note_numbers(db, context, after.view.site_day, after.view.entries)


def note_numbers(
    db: sqlite3.Connection, context: TransactionContext, site_day: str, entries: Iterable[QueueEntry]
) -> None:
    """Notes the queue numbers of entries of a site day as in use."""
    numbers = [number for entry in entries for number in (entry.queue_number, *entry.label_aliases)]
    own = [number for number in numbers if prefix_of(number) == context.identity.ticket_prefix]
    queue_numbers.note_in_use(db, own, site_day, context.at_ms)


def with_view(db: sqlite3.Connection, context: TransactionContext, patient: Patient) -> Patient:
    """Returns the patient with the view made from base and pending actions.

    A pending action that another system decides is not shown: only the word of that system moves the journey.
    """
    identity = context.identity
    pending = outbox.pending_of(db, patient.patient_id, identity.actions, identity.site)
    elsewhere = identity.site.decided_elsewhere
    own = (each for each in pending if each.action.action_type not in elsewhere)
    base = patient.base
    if patient.provisional:
        # Only this kiosk made the base, perhaps while its clock was ahead.
        base = replace(base, site_day=min(base.site_day, context.today))
    base = with_bookings(base, context.within_reach(patient))
    rebased = view(context.definitions, base, own, context.today, lambda day: context.bookings(patient, day))
    return replace(patient, view=rebased.journey)


def with_todays_view(db: sqlite3.Connection, context: TransactionContext, patient: Patient) -> Patient:
    """Returns the patient with a view of today; a view of another day is made again.

    A view of a future day was made while the clock was ahead, and its visit was closed then. Pending actions may be of
    a day that was in the future and is now today. Some minutes before the next day, its first bookings count too.
    """
    shown = {booking.appointment_id for booking in patient.view.appointments}
    has_all = shown.issuperset(booking.appointment_id for booking in context.within_reach(patient))
    return patient if has_all and patient.view.site_day == context.today else with_view(db, context, patient)
