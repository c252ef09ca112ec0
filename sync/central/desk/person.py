"""A patient as the card desk sees the record: person, places in lines, bookings from today on, and cards."""

import msgspec

from sync.central.centre import Centre
from sync.central.records.appointments import BookingRow, bookings_since
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.bindings import binding_records
from sync.central.records.exams import all_exams
from sync.central.records.journeys import read_journey
from sync.central.records.patients import names_of, patient_named
from sync.central.records.people import read_person
from sync.central.records.site import SiteSettings, read_site
from sync.central.services.bindings import BindingShown, binding_shown
from sync.central.services.current_state import people_before
from sync.central.services.errors import UNKNOWN_PATIENT, ApiError
from sync.central.services.told import Told
from sync.central.store.transactions import ReadTransaction
from sync.clock import iso
from sync.ids import is_desk_id
from sync.journey.meaning import cancellation, is_done
from sync.journey.model import Exam, Journey, PatientId, QueueEntry


class DeskEntry(msgspec.Struct, frozen=True):
    """A place in a line today. `current`: the journey follows it. `live`: the patient may still be seen on it."""

    queue_id: str
    queue_number: str
    label_aliases: tuple[str, ...]
    exam_id: str
    exam_name: str
    room: str
    state: str
    opened_at: str
    people_ahead: int
    current: bool
    live: bool


class DeskBooking(msgspec.Struct, frozen=True):
    """A booking from today on. `made_by` is who at the desk made or moved it; empty for the hospital's system.

    `open`: it can be moved and cancelled. `cancelled`: it was, and can be booked again.
    """

    appointment_id: str
    exam_id: str
    exam_name: str
    room: str
    day: str
    scheduled_at: str
    all_day: bool
    status: str
    open: bool
    cancelled: bool
    made_by: str


class DeskPerson(msgspec.Struct, frozen=True):
    """A patient at the card desk. `other_ids` are those of records that were merged into this one.

    `has_number`: the id is a hospital number, and not one of the desk's own. `on_visit`: the patient has arrived.
    """

    patient_id: str
    other_ids: tuple[str, ...]
    has_number: bool
    name: str
    masked_name: str
    birth_date: str | None
    language: str
    journey_state: str
    on_visit: bool
    entries: list[DeskEntry]
    bookings: list[DeskBooking]
    cards: list[BindingShown]


def read_desk_person(centre: Centre, patient_id: str) -> Told | ApiError:
    """The DeskPerson of an id or of an alias."""
    now_ms = centre.clock()
    with centre.store.read() as db:
        named = patient_named(db, patient_id)
        if named is None:
            return UNKNOWN_PATIENT
        return Told(desk_person(db, centre, named, now_ms), AuditKind.LOOK_DESK, (named,))


def desk_person(db: ReadTransaction, centre: Centre, patient_id: PatientId, now_ms: int) -> DeskPerson:
    """A patient of the database as the desk sees the record."""
    site, person = read_site(db), read_person(db, patient_id)
    today, exams = site.day(now_ms), all_exams(db)
    journey = read_journey(db, centre.definitions, patient_id, today)
    assert person is not None
    assert journey is not None
    entries = [_entry(db, centre, site, journey, each, exams.get(each.exam_id)) for each in journey.entries]
    booked = [_booking(centre, each, exams[each.exam_id]) for each in bookings_since(db, patient_id, today)]
    return DeskPerson(
        patient_id,
        names_of(db, patient_id)[1:],
        not is_desk_id(patient_id),
        person.name,
        person.masked_name,
        person.birth_date,
        person.language,
        journey.state,
        journey.visit_id is not None,
        entries,
        booked,
        [binding_shown(each, site.site.timezone) for each in binding_records(db, patient_id)],
    )


def _entry(
    db: ReadTransaction, centre: Centre, site: SiteSettings, journey: Journey, entry: QueueEntry, exam: Exam | None
) -> DeskEntry:
    return DeskEntry(
        entry.queue_id,
        entry.queue_number,
        entry.label_aliases,
        entry.exam_id,
        exam.title if exam else entry.exam_name,
        entry.room,
        entry.state,
        iso(entry.opened_ms, site.site.timezone),
        people_before(db, centre.definitions, journey.site_day, entry),
        entry.queue_id == journey.current_queue_id,
        entry.state in centre.definitions.live,
    )


def _booking(centre: Centre, booking: BookingRow, exam: Exam) -> DeskBooking:
    rule, when = cancellation(centre.definitions), booking.schedule
    cancelled = rule is not None and booking.status == rule.no_entry
    return DeskBooking(
        booking.appointment_id,
        booking.exam_id,
        exam.title,
        exam.room,
        when.site_day,
        when.said,
        when.all_day,
        booking.status,
        not cancelled and not is_done(centre.definitions, booking.status),
        cancelled,
        booking.made_by,
    )
