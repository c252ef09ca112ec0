"""A patient's day at a glance, for staff: who it is, what is booked, where they wait, and what happened today."""

from collections.abc import Iterable, Sequence

import msgspec

from sync.central.centre import Centre
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.board_entries import entries_with_patients
from sync.central.records.journeys import read_journey
from sync.central.records.patient_days import (
    EntryRow,
    JourneyRow,
    count_cards,
    entry_rows_since,
    journey_rows_since,
    open_cases_about,
    visits_of_day,
)
from sync.central.records.patients import names_of, patient_named, read_patient
from sync.central.records.presses import undoable_presses
from sync.central.records.site import SiteSettings, read_site
from sync.central.services.board_rows import BoardRow, PlacedRow, RowMaker
from sync.central.services.current_state import AppointmentDetail, appointment_detail, estimated_wait, people_before
from sync.central.services.doers import doer
from sync.central.services.errors import UNKNOWN_PATIENT, ApiError
from sync.central.services.told import Told
from sync.central.store.transactions import ReadTransaction
from sync.clock import iso
from sync.journey.definitions import Definitions
from sync.journey.staff_changes import priority_said


class PatientOfDay(msgspec.Struct, frozen=True):
    """A patient. `other_ids` are those of records that were merged into this one."""

    patient_id: str
    name: str
    masked_name: str
    birth_date: str | None
    language: str
    other_ids: tuple[str, ...]


class DayVisit(msgspec.Struct, frozen=True):
    """A visit of today, the patient's first, second … one. `closed_at` is null while it is under way."""

    visit_id: str
    ordinal: int
    opened_at: str
    closed_at: str | None


class EntryEvent(msgspec.Struct, frozen=True):
    """What a change did to an entry. `previous` is null where it was opened. The same state twice: the entry stayed in
    its state, and something else of it changed, which `reason` names. `priority_kind` is that of a priority that was
    given; empty for any other change.
    """

    queue_id: str
    exam_id: str
    exam_name: str
    queue_number: str
    previous: str | None
    new: str
    reason: str
    priority_kind: str


class DayEvent(msgspec.Struct, frozen=True):
    """One change of today. Times are ISO 8601 with the site's offset.

    - `action` is the action of the definitions or of the rules; `trigger_type` and the states are null where the
      journey stayed as it was.
    - `by` and `by_kind` say who it was; `where` is the name of the kiosk at which it happened, or empty.
    - `happened_at` is when it happened, and `recorded_at` when the centre heard of it. `time_quality` says how far the
      first is to be trusted; null where the journey stayed as it was.
    """

    action_id: str | None
    action: str
    trigger_type: str | None
    from_state: str | None
    to_state: str | None
    entries: list[EntryEvent]
    by: str
    by_kind: str
    where: str
    happened_at: str
    recorded_at: str
    time_quality: str | None


class PatientDay(msgspec.Struct, frozen=True):
    """A patient's day: the person, the journey, the bookings and entries of today, and what happened, oldest first.

    `cards` is the number of cards that are bound to the patient, `cases` are the open cases about the patient.
    """

    person: PatientOfDay
    journey_state: str
    journey_version: int
    appointments: list[AppointmentDetail]
    entries: list[BoardRow]
    visits: list[DayVisit]
    timeline: list[DayEvent]
    cards: int
    cases: list[str]
    timestamp: str


def patient_day(centre: Centre, named: str) -> Told | ApiError:
    """The PatientDay of the patient that an id or an alias names."""
    now_ms = centre.clock()
    with centre.store.read() as db:
        patient_id = patient_named(db, named)
        if patient_id is None:
            return UNKNOWN_PATIENT
        site = read_site(db)
        day, zone = site.site_day(now_ms), site.site.timezone
        journey = read_journey(db, centre.definitions, patient_id, day.day)
        person = read_patient(db, patient_id)
        assert journey is not None
        assert person is not None
        told = PatientDay(
            PatientOfDay(
                patient_id,
                person["name"],
                person["masked_name"],
                person["birth_date"],
                person["language"],
                names_of(db, patient_id)[1:],
            ),
            journey.state,
            journey.journey_version,
            [appointment_detail(each, site) for each in journey.appointments],
            _entries(db, centre.definitions, site, day.day, patient_id),
            [
                DayVisit(
                    each.visit_id,
                    each.ordinal,
                    iso(each.opened_ms, zone),
                    iso(each.closed_ms, zone) if each.closed_ms is not None else None,
                )
                for each in visits_of_day(db, patient_id, day.day)
            ],
            _timeline(
                journey_rows_since(db, patient_id, day.begin_ms),
                entry_rows_since(db, patient_id, day.day, day.begin_ms),
                zone,
            ),
            count_cards(db, patient_id),
            open_cases_about(db, patient_id),
            iso(now_ms, zone),
        )
    return Told(told, AuditKind.LOOK_DAY, (patient_id,))


def _entries(
    db: ReadTransaction, definitions: Definitions, site: SiteSettings, day: str, patient_id: str
) -> list[BoardRow]:
    """The patient's entries of today, ended ones included, in the order of opening."""
    found = entries_with_patients(db, day, [patient_id])
    maker = RowMaker(definitions, site, undoable_presses(db, [patient_id]))
    rows = sorted(maker.rows(found, found), key=lambda each: each.entry.opened_ms)
    return [_with_place(db, definitions, day, each) for each in rows]


def _with_place(db: ReadTransaction, definitions: Definitions, day: str, placed: PlacedRow) -> BoardRow:
    ahead = people_before(db, definitions, day, placed.entry)
    wait = estimated_wait(placed.entry, ahead)
    return msgspec.structs.replace(placed.row, people_ahead=ahead, estimated_wait_time=wait)


def _timeline(moves: Sequence[JourneyRow], changes: Sequence[EntryRow], zone: str) -> list[DayEvent]:
    """The changes of the day, each one event, with what it did to the journey and to the entries."""
    numbers = sorted({*(each.change for each in moves), *(each.change for each in changes)})
    moved = {number: [each for each in moves if each.change == number] for number in numbers}
    changed = {number: [each for each in changes if each.change == number] for number in numbers}
    return [_event(moved[number], changed[number], zone) for number in numbers]


def _event(moves: Sequence[JourneyRow], changes: Sequence[EntryRow], zone: str) -> DayEvent:
    first: JourneyRow | EntryRow = moves[0] if moves else changes[0]
    by = doer(first.who, first.kiosk)
    return DayEvent(
        first.action_id,
        moves[0].action if moves else changes[0].action or changes[0].reason,
        moves[0].trigger_type if moves else None,
        moves[0].from_state if moves else None,
        moves[-1].to_state if moves else None,
        list(_entry_events(changes)),
        by.name,
        by.kind,
        first.kiosk or "",
        iso(first.happened_ms, zone),
        iso(first.recorded_ms, zone),
        moves[0].time_quality if moves else None,
    )


def _entry_events(changes: Iterable[EntryRow]) -> Iterable[EntryEvent]:
    for each in changes:
        kind, reason = priority_said(each.reason) or ("", each.reason)
        yield EntryEvent(
            each.queue_id,
            each.exam_id,
            each.exam_title,
            each.queue_number,
            each.previous,
            each.new,
            reason,
            kind,
        )
