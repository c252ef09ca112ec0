"""The rows of the roster as kiosks hold them, many patients at a time: four statements for a span of changes."""

from collections import defaultdict
from dataclasses import dataclass, field
from operator import itemgetter

from sync.central.records.appointments import appointment_of_columns
from sync.central.records.entries import ENTRY_COLUMNS, entry_of_row
from sync.central.records.journeys import as_seen
from sync.central.store.transactions import ReadTransaction
from sync.clock import day_after
from sync.journey.definitions import Definitions
from sync.journey.model import Appointment, Journey, PatientId, QueueEntry, QueueId, VisitId
from sync.protocol import BindingRow, PatientRow

_SPAN = "j.change > :after and j.change <= :until"
_JOURNEYS = f"""select j.patient_id, j.change, j.state, j.site_day, j.visit_id, j.leg, j.journey_version,
    j.current_queue_id, p.masked_name, p.language, g.site_day
    from journeys j join patients p on p.patient_id = j.patient_id
    left join roster_guests g on g.patient_id = j.patient_id
    where {_SPAN}"""  # noqa: S608
_ENTRIES = f"""select e.* from journeys j
    join entries e on e.patient_id = j.patient_id and e.site_day = j.site_day
    where {_SPAN}"""  # noqa: S608
_BOOKINGS = f"""select a.patient_id, a.site_day, a.appointment_id, a.exam_id, x.public_label, x.room, a.scheduled_ms,
    a.status, x.minutes, x.overnight, a.all_day, a.last_day, x.by_booking
    from journeys j join appointments a on a.patient_id = j.patient_id join exams x on x.exam_id = a.exam_id
    where {_SPAN} and (a.site_day >= j.site_day or a.site_day >= :today) and a.site_day < :end"""  # noqa: S608
_BINDINGS = f"""select b.patient_id, b.binding_id, h.key_id, h.uid_hash from journeys j
    join bindings b on b.patient_id = j.patient_id join binding_hashes h on h.binding_id = b.binding_id
    where {_SPAN} and b.end_ms is null"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Changed:
    """A patient who has changed; `row` is None for one who is not on the roster."""

    patient_id: str
    change: int
    row: PatientRow | None


@dataclass(frozen=True, slots=True)
class _Day:
    """A day of the site, and the two after it. `definitions` are the rules in force."""

    definitions: Definitions
    today: str

    @property
    def tomorrow(self) -> str:
        return day_after(self.today)

    @property
    def end(self) -> str:
        return day_after(self.tomorrow)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What belongs to the patients of a span, by patient id, in any order."""

    entries: defaultdict[str, list[QueueEntry]] = field(default_factory=lambda: defaultdict(list))
    bookings: defaultdict[str, list[tuple[str, Appointment]]] = field(default_factory=lambda: defaultdict(list))
    bindings: defaultdict[str, list[BindingRow]] = field(default_factory=lambda: defaultdict(list))

    def booked(self, patient_id: str, first_day: str, before_day: str) -> tuple[Appointment, ...]:
        """A patient's bookings from one day up to and without another, in order of time."""
        found = [booking for day, booking in self.bookings.get(patient_id, ()) if first_day <= day < before_day]
        return tuple(sorted(found, key=lambda each: (each.all_day, each.scheduled_ms, each.appointment_id)))

    def entered(self, patient_id: str) -> tuple[QueueEntry, ...]:
        """A patient's entries, in the order of opening."""
        return tuple(sorted(self.entries.get(patient_id, ()), key=lambda each: (each.opened_ms, each.queue_id)))

    def bound(self, patient_id: str) -> tuple[BindingRow, ...]:
        """A patient's bindings in force, in the order of their ids and keys."""
        return tuple(sorted(self.bindings.get(patient_id, ()), key=lambda each: (each.binding_id, each.key_id)))


def roster_rows(db: ReadTransaction, definitions: Definitions, today: str, after: int, until: int) -> list[Changed]:
    """The patients with a change number above `after` and up to `until`, in its order, as of today."""
    day = _Day(definitions, today)
    span = {"after": after, "until": until}
    parts = _read_parts(db, day, span)
    journeys = db.rows_at_once(_JOURNEYS, 11, span)
    return [_changed(day, parts, *row) for row in sorted(journeys, key=itemgetter(1))]


def _read_parts(db: ReadTransaction, day: _Day, span: dict[str, int]) -> _Parts:
    parts = _Parts()
    for row in db.rows_at_once(_ENTRIES, ENTRY_COLUMNS, span):
        parts.entries[row[1]].append(entry_of_row(row))
    for patient_id, site_day, *booking in db.rows_at_once(_BOOKINGS, 13, {**span, "today": day.today, "end": day.end}):
        parts.bookings[patient_id].append((site_day, appointment_of_columns(*booking)))
    for patient_id, *binding in db.rows_at_once(_BINDINGS, 4, span):
        parts.bindings[patient_id].append(BindingRow(*binding))
    return parts


def _changed(
    day: _Day,
    parts: _Parts,
    patient_id: str,
    change: int,
    state: str,
    site_day: str,
    visit_id: str | None,
    leg: int,
    journey_version: int,
    current_queue_id: str | None,
    masked_name: str,
    language: str,
    guest_day: str | None,
) -> Changed:
    stored = Journey(
        PatientId(patient_id),
        state,
        site_day,
        VisitId(visit_id) if visit_id else None,
        leg,
        journey_version,
        QueueId(current_queue_id) if current_queue_id else None,
        parts.entered(patient_id),
        parts.booked(patient_id, site_day, max(day.today, day_after(site_day))),
    )
    journey = as_seen(day.definitions, stored, day.today, lambda: parts.booked(patient_id, day.today, day.tomorrow))
    tomorrow = parts.booked(patient_id, day.tomorrow, day.end)
    waits = any(entry.state in day.definitions.live for entry in journey.entries)
    has_reason = journey.visit_id is not None or waits or journey.appointments or tomorrow
    if not has_reason and guest_day != day.today:
        return Changed(patient_id, change, None)
    row = PatientRow(
        patient_id=patient_id,
        masked_name=masked_name,
        language=language,
        change=change,
        bindings=parts.bound(patient_id),
        journey=journey,
        tomorrow=tomorrow,
    )
    return Changed(patient_id, change, row)
