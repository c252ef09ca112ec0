"""Finds patients for a board: by a queue number of today, an id, words of a name, or a card.

Patients with an entry or a booking of today are looked for first. Only where there is none, all records are.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from sync.central.centre import Centre
from sync.central.records.appointments import bookings_of_patients
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.bindings import binding_of_card
from sync.central.records.board_entries import BoardEntry, entries_with_patients
from sync.central.records.patient_search import FoundPatient, patients_of_name, patients_of_today, read_found
from sync.central.records.site import SiteSettings, read_site
from sync.central.services.current_state import AppointmentDetail, appointment_detail
from sync.central.services.errors import ApiError
from sync.central.services.requests import read_tag
from sync.central.services.told import Told
from sync.central.store.transactions import ReadTransaction
from sync.clock import day_after
from sync.journey.definitions import Definitions

MOST_FOUND = 20
_NOTHING = ApiError("malformed", "q or tag_id must say whom to look for.")


class WantedPatient(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to look for: `q` is a queue number, a patient's id, or words of a name; `tag_id` is a card as read."""

    q: Annotated[str, Meta(max_length=1000)] = ""
    tag_id: str | None = None


class FoundEntry(msgspec.Struct, frozen=True):
    """An entry of today, ended ones included, of a patient who was found."""

    queue_id: str
    exam_id: str
    exam_name: str
    room: str
    state: str
    queue_number: str
    label_aliases: tuple[str, ...]


class PatientFound(msgspec.Struct, frozen=True):
    """A patient who was found, with what they have today."""

    patient_id: str
    name: str
    masked_name: str
    birth_date: str | None
    language: str
    journey_state: str
    entries: list[FoundEntry]
    appointments: list[AppointmentDetail]


class PatientsFound(msgspec.Struct, frozen=True):
    """The patients who were found. `more`: there are others, and a longer text finds fewer.

    `is_of_today` is false where nobody of today was found, so that all records were looked through.
    """

    patients: list[PatientFound]
    more: bool
    is_of_today: bool


def find_patients(centre: Centre, wanted: WantedPatient) -> Told | ApiError:
    """The PatientsFound of a search."""
    tag = read_tag(wanted.tag_id, "malformed") if wanted.tag_id is not None else None
    if isinstance(tag, ApiError):
        return tag
    text = wanted.q.strip()
    if not text and tag is None:
        return _NOTHING
    now_ms = centre.clock()
    with centre.store.read() as db:
        site = read_site(db)
        today = site.day(now_ms)
        found = _with_card(db, centre, tag) if tag is not None else patients_of_today(db, today, text, MOST_FOUND + 1)
        is_of_today = tag is not None or bool(found)
        if not is_of_today:
            found = patients_of_name(db, text, MOST_FOUND + 1)
        shown = found[:MOST_FOUND]
        patients = _shown(db, centre.definitions, site, today, shown) if shown else []
    answer = PatientsFound(patients, len(found) > MOST_FOUND, is_of_today)
    return Told(answer, AuditKind.LOOK_FIND, tuple(each.patient_id for each in patients))


def _with_card(db: ReadTransaction, centre: Centre, tag: str) -> list[str]:
    binding = binding_of_card(db, centre.keys.hashes(tag))
    return [] if binding is None else [binding.patient_id]


def _shown(
    db: ReadTransaction, definitions: Definitions, site: SiteSettings, today: str, patient_ids: list[str]
) -> list[PatientFound]:
    people = read_found(db, patient_ids)
    entries: dict[str, list[BoardEntry]] = {}
    for each in entries_with_patients(db, today, patient_ids):
        entries.setdefault(each.patient_id, []).append(each)
    booked = bookings_of_patients(db, patient_ids, today, day_after(today))
    return [
        _patient(
            definitions,
            today,
            people[patient_id],
            [_entry(each) for each in entries.get(patient_id, ())],
            [appointment_detail(each, site) for each in booked.get(patient_id, ())],
        )
        for patient_id in patient_ids
    ]


def _patient(
    definitions: Definitions,
    today: str,
    person: FoundPatient,
    entries: list[FoundEntry],
    appointments: list[AppointmentDetail],
) -> PatientFound:
    return PatientFound(
        person.patient_id,
        person.name,
        person.masked_name,
        person.birth_date,
        person.language,
        # A journey of a day that has ended begins again.
        person.journey_state if person.site_day >= today else definitions.initial,
        entries,
        appointments,
    )


def _entry(shown: BoardEntry) -> FoundEntry:
    entry = shown.entry
    return FoundEntry(
        entry.queue_id,
        entry.exam_id,
        shown.exam_title,
        entry.room,
        entry.state,
        entry.queue_number,
        entry.label_aliases,
    )
