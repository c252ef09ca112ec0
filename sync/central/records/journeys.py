"""Journeys as rows: read as of a day of the site, and written with all rows of an accepted action.

A writer changes journey, entries, appointments, visit and history, and takes a change number, in one transaction.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from sync.central.records.appointments import bookings, bookings_of_patients, set_appointment_status
from sync.central.records.entries import entries_of_day, entries_of_patients, set_entry_state, write_entry
from sync.central.records.history import Provenance, add_entry_history, add_transitions
from sync.central.records.parts import Part
from sync.central.records.visits import write_visit_change
from sync.central.store.transactions import (
    UNREAD,
    Order,
    Question,
    ReadTransaction,
    WriteTransaction,
    Writing,
    any_of,
    each_of,
)
from sync.clock import day_after
from sync.journey.definitions import Definitions
from sync.journey.model import (
    Appointment,
    BuiltIn,
    Decision,
    EntryChange,
    Journey,
    PatientId,
    QueueEntry,
    QueueId,
    VisitId,
)
from sync.rebase import as_of

JOURNEYS = Part(
    "journey",
    ("j.patient_id", "j.state", "j.site_day", "j.visit_id", "j.current_queue_id"),
    ("j.leg", "j.journey_version"),
)
_JOURNEY_QUERY = JOURNEYS.of("from journeys j where j.patient_id = :patient_id")


TICKET = "ticket"  # the reason of a row of history that leaves the entry's state as it is


@dataclass(frozen=True, slots=True)
class CurrentEntry:
    """The state of a patient's journey, and its current entry; None where it has none on its day."""

    patient_id: str
    site_day: str
    journey_state: str
    queue_id: str | None
    entry_state: str | None


def read_journey(db: ReadTransaction, definitions: Definitions, patient_id: str, today: str) -> Journey | None:
    """A patient's journey as of today; None for an unknown patient. A day that has ended is closed in this view alone.

    `today` is the day of the site.
    """
    stored = stored_journey(db, patient_id, today)
    if stored is None:
        return None
    return as_seen(definitions, stored, today, lambda: bookings(db, patient_id, today, day_after(today)))


def as_seen(
    definitions: Definitions, stored: Journey, today: str, booked: Callable[[], tuple[Appointment, ...]]
) -> Journey:
    """A stored journey as of today. `booked` returns the patient's bookings of today."""
    if is_current(stored, today):
        return stored
    if stored.site_day > today:  # the clock was ahead
        return replace(stored, site_day=today, appointments=booked())
    return as_of(definitions, stored, today, booked())


def stored_journey(db: ReadTransaction, patient_id: str, today: str) -> Journey | None:
    """The journey as it was last written. One of a past day has all bookings since, for the day's end to end them."""
    row = db.row(_JOURNEY_QUERY, patient_id=patient_id)
    if row is None:
        return None
    values = JOURNEYS.values(row)
    day = day_of_part(values)
    booked = bookings(db, patient_id, day, max(today, day_after(day)))
    return journey_of_part(values, entries_of_day(db, patient_id, day), booked)


def day_of_part(values: tuple[Any, ...]) -> str:
    """The day of a journey, from a row of the part `JOURNEYS`."""
    return str(values[2])


def journey_of_part(
    values: tuple[Any, ...], entries: tuple[QueueEntry, ...], appointments: tuple[Appointment, ...]
) -> Journey:
    """A journey from a row of the part `JOURNEYS`, and its entries and bookings."""
    patient_id, state, day, visit_id, queue_id, leg, version = values
    return Journey(
        PatientId(patient_id),
        state,
        day,
        visit_id and VisitId(visit_id),
        leg,
        version,
        queue_id and QueueId(queue_id),
        entries,
        appointments,
    )


def stored_journeys(db: ReadTransaction, patient_ids: Collection[str], today: str) -> Iterator[Journey]:
    """The journeys of these patients as they were last written, as `stored_journey` gives each."""
    names, parameters = each_of("patient", patient_ids)
    query = JOURNEYS.of(f"from journeys j where j.patient_id in {names}")
    found = [JOURNEYS.values(row) for row in db.rows(query, **parameters)]
    by_day: dict[str, list[tuple[Any, ...]]] = {}
    for values in found:
        by_day.setdefault(day_of_part(values), []).append(values)
    for day, of_day in by_day.items():
        ids = [values[0] for values in of_day]
        entries = entries_of_patients(db, ids, day)
        booked = bookings_of_patients(db, ids, day, max(today, day_after(day)))
        yield from (journey_of_part(values, entries.get(values[0], ()), booked.get(values[0], ())) for values in of_day)


def is_current(stored: Journey, today: str) -> bool:
    """Whether a journey is of today, or of the next day, which may begin while the caller waits to write."""
    return today <= stored.site_day <= day_after(today)


def save(
    db: WriteTransaction,
    before: Journey,
    decision: Decision,
    provenance: Provenance,
    action: str | None = None,
    change: int | None = None,
) -> int:
    """Writes a decision on the journey `before`, announces it, and returns its change number.

    `change` is that number where this transaction has taken it already. Raises StaleJourney where the database holds
    another journey than `before`.
    """
    after = decision.journey
    change = db.next_change() if change is None else change
    _update_journey(db, before, after, change)
    write_visit_change(db, before, after, provenance.happened_ms, goes_back=action == BuiltIn.TAKE_BACK)
    _write_entries(db, before, after, decision.entry_changes)
    for status in dict.fromkeys(change.new for change in decision.appointment_changes):
        changed = [change.appointment_id for change in decision.appointment_changes if change.new == status]
        set_appointment_status(db, changed, status)
    visit_id = after.visit_id or before.visit_id
    leg = after.leg if after.visit_id else before.leg
    add_transitions(db, change, before.patient_id, visit_id, leg, decision.transitions, provenance)
    changes = (*decision.entry_changes, *_other_tickets(before, decision))
    add_entry_history(db, change, before.patient_id, changes, provenance)
    db.announce(change, before.patient_id, action, provenance.action_id)
    if db.known(OPEN, before.patient_id) is not UNREAD:
        db.learn(OPEN, before.patient_id, _as_stored(after))
    return change


def add_correction(db: WriteTransaction, after: Journey, since_version: int = 0) -> None:
    """Records that staff corrected a journey to `after`, in the transaction that wrote it.

    `since_version` is the first version of the journey with what was corrected, where that is known.
    """
    db.execute(
        "insert into corrections values (:change, :patient_id, :visit_id, :version, :since_version)",
        {
            "change": db.next_change(),
            "patient_id": after.patient_id,
            "visit_id": after.visit_id,
            "version": after.journey_version,
            "since_version": since_version,
        },
    )


def mark_changed(db: WriteTransaction, patient_id: str) -> int:
    """Gives a patient a new change number and announces it, after a change of a card, a name or a booking."""
    change = renumber(db, patient_id)
    db.announce(change, patient_id)
    return change


def renumber(db: WriteTransaction, patient_id: str) -> int:
    """Gives a patient a new change number and announces nothing: nothing has changed that anybody is shown."""
    change = db.next_change()
    db.execute(
        "update journeys set change = :change where patient_id = :patient_id",
        {"change": change, "patient_id": patient_id},
    )
    return change


def change_of(db: ReadTransaction, patient_id: str) -> int:
    """The change number of a patient."""
    return int(db.value("select change from journeys where patient_id = :patient_id", patient_id=patient_id))


def count_journeys_by_state(db: ReadTransaction, definitions: Definitions, site_day: str) -> dict[str, int]:
    """The number of journeys in each state on a day of the site: those of that day, and those that have not begun."""
    rows = db.rows(
        "select state, count(*) as rows from journeys where site_day >= :site_day or state = :initial group by state",
        site_day=site_day,
        initial=definitions.initial,
    )
    return {row["state"]: row["rows"] for row in rows}


_WITH_CURRENT_ENTRY = (
    "from journeys j left join entries e on e.queue_id = j.current_queue_id and e.patient_id = j.patient_id"
    " and e.site_day = j.site_day"
)


def kinds_of_journeys(db: ReadTransaction) -> list[tuple[str, str | None, int]]:
    """Every pair of a journey's state and its current entry's (None without one), with the number of its rows."""
    rows = db.rows(
        f"select j.state, e.state as entry_state, count(*) as rows {_WITH_CURRENT_ENTRY} group by j.state, e.state"
    )
    return [(row["state"], row["entry_state"], row["rows"]) for row in rows]


def journeys_of_kind(db: ReadTransaction, state: str, entry_state: str | None, limit: int) -> list[CurrentEntry]:
    """The journeys of such a pair in the order of the patient ids, at most `limit`."""
    rows = db.rows(
        f"select j.patient_id, j.site_day, j.state, e.queue_id, e.state as entry_state {_WITH_CURRENT_ENTRY}"
        " where j.state = :state and coalesce(e.state, '') = :entry_state order by j.patient_id limit :limit",
        state=state,
        entry_state=entry_state or "",
        limit=limit,
    )
    return [CurrentEntry(*row) for row in rows]


def patients_of_ended_days(db: ReadTransaction, definitions: Definitions, today: str) -> list[PatientId]:
    """Patients with an ended day that is not closed yet, and whom its end changes."""
    live, live_states = any_of("live", definitions.live)
    lapsing, lapsing_statuses = any_of("status", definitions.day_end.appointments_from)
    rows = db.execute(
        "select j.patient_id from journeys j where j.site_day < :today and (j.state <> :initial"  # noqa: S608
        " or exists (select 1 from entries e where e.patient_id = j.patient_id and e.site_day = j.site_day"
        f" and e.state in {live})"
        " or exists (select 1 from appointments a where a.patient_id = j.patient_id and a.site_day < :today"
        f" and a.status in {lapsing})) order by j.patient_id",
        {"today": today, "initial": definitions.initial, **live_states, **lapsing_statuses},
    )
    return [PatientId(row["patient_id"]) for row in rows]


def add_journey(db: WriteTransaction, definitions: Definitions, patient_id: str, today: str) -> None:
    """Adds the journey of a new patient, in the initial state.

    It has no change number yet, and is announced to nobody: a new patient is on no roster. A booking, a card or a
    look-up that makes the patient known to kiosks gives the first number.
    """
    db.write(_ADD, {"patient_id": patient_id, "state": definitions.initial, "site_day": today})


def _update_journey(db: WriteTransaction, before: Journey, after: Journey, change: int) -> None:
    db.write(
        _UPDATE,
        {
            "state": after.state,
            "site_day": after.site_day,
            "visit_id": after.visit_id,
            "leg": after.leg,
            "version": after.journey_version,
            "current_queue_id": after.current_queue_id,
            "change": change,
            "patient_id": before.patient_id,
            "version_before": before.journey_version,
            "site_day_before": before.site_day,
        },
    )


def _write_entries(db: WriteTransaction, before: Journey, after: Journey, changes: tuple[EntryChange, ...]) -> None:
    """Writes the entries that are new or differ, and ends those that a day's end dropped."""
    is_new_day = before.site_day != after.site_day
    for entry in after.entries:
        entry_before = before.entry(entry.queue_id)
        if entry_before != entry or is_new_day:
            write_entry(db, after, entry, fresh=entry_before is None)
    for change in changes:
        if after.entry(change.queue_id) is None:
            set_entry_state(db, change.queue_id, change.new)


def _other_tickets(before: Journey, decision: Decision) -> Iterator[EntryChange]:
    """A row of history for each entry that keeps its state and has another exam, room, booking or number now."""
    if decision.journey.entries == before.entries:
        return
    moved = {change.queue_id for change in decision.entry_changes}
    for entry in decision.journey.entries:
        known = before.entry(entry.queue_id)
        if known is not None and entry.queue_id not in moved and _ticket(known) != _ticket(entry):
            yield EntryChange(entry.queue_id, entry.state, entry.state, TICKET)


def _ticket(entry: QueueEntry) -> tuple[object, ...]:
    return entry.exam_id, entry.room, entry.appointment_id, entry.label_aliases


def _as_stored(journey: Journey) -> Journey:
    """A journey as it is read again: its entries are in the order of opening."""
    if len(journey.entries) < 2:
        return journey
    return replace(journey, entries=tuple(sorted(journey.entries, key=lambda each: (each.opened_ms, each.queue_id))))


OPEN: Question[str, Journey] = Question()  # by patient: the journey of today, where a writer need not close its day
_ADD = Writing("insert into journeys values (:patient_id, :state, :site_day, null, 0, 0, null, 0)", Order.FIRST)
_UPDATE = Writing(
    "update journeys set state = :state, site_day = :site_day, visit_id = :visit_id, leg = :leg,"
    " journey_version = :version, current_queue_id = :current_queue_id, change = :change"
    " where patient_id = :patient_id and journey_version = :version_before and site_day = :site_day_before",
    changes_one=True,
)
