"""Journeys as rows: read as of a day of the site, and written with all rows of an accepted action.

A writer changes journey, entries, appointments, visit and history, and takes a change number, in one transaction.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from sync.central.records.appointments import bookings, set_appointment_status
from sync.central.records.entries import entries_of_day, set_entry_state, write_entry
from sync.central.records.history import Provenance, add_entry_history, add_transitions
from sync.central.records.visits import write_visit_change
from sync.central.store.errors import StaleJourney
from sync.central.store.transactions import ReadTransaction, WriteTransaction, any_of
from sync.clock import day_after
from sync.journey.definitions import Definitions
from sync.journey.model import Decision, EntryChange, Journey, PatientId, QueueId, VisitId
from sync.rebase import as_of


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
    if stored is None or is_current(stored, today):
        return stored
    if stored.site_day > today:  # the clock was ahead
        return replace(stored, site_day=today, appointments=bookings(db, patient_id, today, day_after(today)))
    return as_of(definitions, stored, today, bookings(db, patient_id, today, day_after(today)))


def stored_journey(db: ReadTransaction, patient_id: str, today: str) -> Journey | None:
    """The journey as it was last written. One of a past day has all bookings since, for the day's end to end them."""
    row = db.execute(
        "select state, site_day, visit_id, leg, journey_version, current_queue_id from journeys"
        " where patient_id = :patient_id",
        {"patient_id": patient_id},
    ).fetchone()
    if row is None:
        return None
    day = row["site_day"]
    return Journey(
        PatientId(patient_id),
        row["state"],
        day,
        row["visit_id"] and VisitId(row["visit_id"]),
        row["leg"],
        row["journey_version"],
        row["current_queue_id"] and QueueId(row["current_queue_id"]),
        entries_of_day(db, patient_id, day),
        bookings(db, patient_id, day, max(today, day_after(day))),
    )


def is_current(stored: Journey, today: str) -> bool:
    """Whether a journey is of today, or of the next day, which may begin while the caller waits to write."""
    return today <= stored.site_day <= day_after(today)


def save(
    db: WriteTransaction, before: Journey, decision: Decision, provenance: Provenance, action: str | None = None
) -> int:
    """Writes a decision on the journey `before`, announces it, and returns its change number.

    Raises StaleJourney where the database holds another journey than `before`.
    """
    after = decision.journey
    change = db.next_change()
    _update_journey(db, before, after, change)
    write_visit_change(db, before, after, provenance.happened_ms)
    _write_entries(db, before, after, decision.entry_changes)
    for booking in decision.appointment_changes:
        set_appointment_status(db, booking.appointment_id, booking.new)
    visit_id = after.visit_id or before.visit_id
    leg = after.leg if after.visit_id else before.leg
    add_transitions(db, change, before.patient_id, visit_id, leg, decision.transitions, provenance)
    add_entry_history(db, change, before.patient_id, decision.entry_changes, provenance)
    db.announce(change, before.patient_id, action, provenance.action_id)
    return change


def add_correction(db: WriteTransaction, after: Journey) -> None:
    """Records that staff corrected a journey to `after`, in the transaction that wrote it."""
    db.execute(
        "insert into corrections values (:change, :patient_id, :visit_id, :version)",
        {
            "change": db.next_change(),
            "patient_id": after.patient_id,
            "visit_id": after.visit_id,
            "version": after.journey_version,
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


def journeys_with_current_entries(db: ReadTransaction) -> Iterator[CurrentEntry]:
    """Every journey's state with its current entry, in the order of the patient ids."""
    rows = db.execute(
        "select j.patient_id, j.site_day, j.state, e.queue_id, e.state as entry_state"
        " from journeys j left join entries e on e.queue_id = j.current_queue_id and e.patient_id = j.patient_id"
        " and e.site_day = j.site_day order by j.patient_id"
    )
    return (CurrentEntry(*row) for row in rows)


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
    db.execute(
        "insert into journeys values (:patient_id, :state, :site_day, null, 0, 0, null, 0)",
        {"patient_id": patient_id, "state": definitions.initial, "site_day": today},
    )


def _update_journey(db: WriteTransaction, before: Journey, after: Journey, change: int) -> None:
    updated = db.execute(
        "update journeys set state = :state, site_day = :site_day, visit_id = :visit_id, leg = :leg,"
        " journey_version = :version, current_queue_id = :current_queue_id, change = :change"
        " where patient_id = :patient_id and journey_version = :version_before and site_day = :site_day_before",
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
    if updated.rowcount != 1:
        raise StaleJourney(before.patient_id)


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
