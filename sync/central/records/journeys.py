"""Journeys as rows: read as of a day of the site, and written with all that an accepted action leaves behind.

Whoever writes does so inside one transaction (`Store.write()`): journey, entries, appointments, visit, transition and
history rows, and a change number, together or not at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from sync.central.records.appointments import bookings
from sync.central.records.entries import entries_of, write_entry
from sync.central.records.future_days import set_right
from sync.central.records.visits import follow_visit
from sync.central.store.sqlite import ReadTransaction, WriteTransaction
from sync.clock import TimeQuality, day_after
from sync.ids import new_id
from sync.journey.definitions import Definitions
from sync.journey.model import (
    BuiltIn,
    Decision,
    EntryChange,
    Journey,
    PatientId,
    QueueId,
    Role,
    Transition,
    VisitId,
)
from sync.journey.rules import close_day
from sync.rebase import as_of


class StaleJourney(Exception):
    """Another transaction changed the journey after it was read: read it again and decide anew."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """What the rows of one change say of where it came from.

    `source` is the channel (rest, websocket, a kiosk's id, the centre itself), `who` the asker for the queue's
    history, `metadata` what the request said beside (a card only as its hashes).
    """

    source: str
    who: str
    happened_ms: int
    recorded_ms: int
    time_quality: TimeQuality = TimeQuality.RECEIVED
    action_id: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


def day_end(now_ms: int) -> Provenance:
    """The origin that the rows of a day's end name: the centre itself, whichever request met that end."""
    return Provenance("centre", Role.SYSTEM, now_ms, now_ms)


def read_journey(db: ReadTransaction, definitions: Definitions, patient_id: str, today: str) -> Journey | None:
    """A patient's journey as of today, with the day's end applied (in this view alone); None for an unknown patient."""
    stored = _stored(db, patient_id, today)
    if stored is None or _is_of(stored, today):
        return stored
    if stored.site_day > today:  # the clock was ahead
        return replace(stored, site_day=today, appointments=bookings(db, patient_id, today, day_after(today)))
    return as_of(definitions, stored, today, bookings(db, patient_id, today, day_after(today)))


def open_journey(
    db: WriteTransaction, definitions: Definitions, patient_id: str, today: str, provenance: Provenance
) -> Journey | None:
    """A patient's journey as of today, for a writer; None for an unknown patient.

    A day that has ended is closed for good first, and announced if that moved anything. What bears a day that has not
    come is set right. `provenance` is that of the closure: `day_end()`.
    """
    stored = _stored(db, patient_id, today)
    if stored is None or _is_of(stored, today):
        return stored
    if stored.site_day > today:
        set_right(db, definitions, patient_id, today, new_id(), provenance.recorded_ms)
        touch(db, patient_id)
        return _stored(db, patient_id, today)
    closed = close_day(definitions, stored, today)
    save(db, stored, closed, provenance, BuiltIn.CLOSE_DAY)
    return replace(closed.journey, appointments=bookings(db, patient_id, today, day_after(today)))


def save(
    db: WriteTransaction, before: Journey, decision: Decision, provenance: Provenance, action: str | None = None
) -> int:
    """Writes what a decision on `before` says, adds the news, and returns the change number.

    Raises StaleJourney where `before` is not what the database holds.
    """
    after = decision.journey
    change = db.next_change()
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
    follow_visit(db, before, after, provenance.happened_ms)
    _write_entries(db, before, after, decision.entry_changes)
    for booking in decision.appointment_changes:
        db.execute(
            "update appointments set status = :new where appointment_id = :appointment_id",
            {"new": booking.new, "appointment_id": booking.appointment_id},
        )
    visit_id = after.visit_id or before.visit_id
    leg = after.leg if after.visit_id else before.leg
    add_transitions(db, change, before.patient_id, visit_id, leg, decision.transitions, provenance)
    add_entry_history(db, change, before.patient_id, decision.entry_changes, provenance)
    db.announce(change, before.patient_id, action, provenance.action_id)
    return change


def note_correction(db: WriteTransaction, after: Journey) -> None:
    """Notes that staff have said where a patient stands, in the transaction that wrote it."""
    db.execute(
        "insert into corrections values (:change, :patient_id, :visit_id, :version)",
        {
            "change": db.next_change(),
            "patient_id": after.patient_id,
            "visit_id": after.visit_id,
            "version": after.journey_version,
        },
    )


def touch(db: WriteTransaction, patient_id: str) -> int:
    """Gives a patient a new change number and announces it, where a card, name or booking changed."""
    change = db.next_change()
    db.execute(
        "update journeys set change = :change where patient_id = :patient_id",
        {"change": change, "patient_id": patient_id},
    )
    db.announce(change, patient_id)
    return change


def add_journey(db: WriteTransaction, definitions: Definitions, patient_id: str, today: str) -> int:
    """The first journey row of a new patient, at the beginning. Returns its change number."""
    change = db.next_change()
    db.execute(
        "insert into journeys values (:patient_id, :state, :site_day, null, 0, 0, null, :change)",
        {"patient_id": patient_id, "state": definitions.initial, "site_day": today, "change": change},
    )
    db.announce(change, patient_id)
    return change


def add_transitions(
    db: WriteTransaction,
    change: int,
    patient_id: str,
    visit_id: str | None,
    leg: int,
    rows: tuple[Transition, ...],
    provenance: Provenance,
) -> None:
    """Adds rows to a patient's history; also for a late action of a closed day, which moves nothing of today.

    `change` is the change number of this transaction; one number takes rows only once.
    """
    for position, row in enumerate(rows):
        db.execute(
            "insert into transitions values (:change, :position, :patient_id, :visit_id, :leg, :action_id, :from_state,"
            " :to_state, :action, :trigger_type, :source, :metadata, :happened_ms, :recorded_ms, :time_quality)",
            {
                "change": change,
                "position": position,
                "patient_id": patient_id,
                "visit_id": visit_id,
                "leg": leg,
                "action_id": provenance.action_id,
                "from_state": row.from_state,
                "to_state": row.to_state,
                "action": row.action,
                "trigger_type": row.trigger_type,
                "source": provenance.source,
                "metadata": msgspec.json.encode(provenance.metadata).decode(),
                "happened_ms": provenance.happened_ms,
                "recorded_ms": provenance.recorded_ms,
                "time_quality": provenance.time_quality.value,
            },
        )


def add_entry_history(
    db: WriteTransaction, number: int, patient_id: str, changes: tuple[EntryChange, ...], provenance: Provenance
) -> None:
    """Adds rows to the history of a patient's entries, under the change number of this transaction."""
    for position, change in enumerate(changes):
        db.execute(
            "insert into entry_history values (:change, :position, :queue_id, :patient_id, :action_id, :previous, :new,"
            " :reason, :who, :happened_ms, :recorded_ms)",
            {
                "change": number,
                "position": position,
                "queue_id": change.queue_id,
                "patient_id": patient_id,
                "action_id": provenance.action_id,
                "previous": change.previous,
                "new": change.new,
                "reason": change.reason,
                "who": provenance.who,
                "happened_ms": provenance.happened_ms,
                "recorded_ms": provenance.recorded_ms,
            },
        )


def _stored(db: ReadTransaction, patient_id: str, today: str) -> Journey | None:
    """The journey as it was last written. Of a day that has ended it holds every booking since, so that all lapse."""
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
        entries_of(db, patient_id, day),
        bookings(db, patient_id, day, max(today, day_after(day))),
    )


def _is_of(stored: Journey, today: str) -> bool:
    """Whether a journey stands in today; or in the day after, which may have begun while the caller waited to write."""
    return today <= stored.site_day <= day_after(today)


def _write_entries(db: WriteTransaction, before: Journey, after: Journey, changes: tuple[EntryChange, ...]) -> None:
    """Writes entries that are new or differ, and closes those that a day's end left behind."""
    moved_on = before.site_day != after.site_day
    for entry in after.entries:
        known = before.entry(entry.queue_id)
        if known != entry or moved_on:
            write_entry(db, after, entry, fresh=known is None)
    for change in changes:
        if after.entry(change.queue_id) is None:
            db.execute(
                "update entries set state = :state where queue_id = :queue_id",
                {"state": change.new, "queue_id": change.queue_id},
            )
