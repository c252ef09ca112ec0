"""The views of staff: the queue as a list to search, and a patient's history."""

from collections.abc import Mapping
from typing import Any

import msgspec

from sync.central.centre import Centre
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.entry_search import ListedEntry, find_entries
from sync.central.records.history import RecordedTransition, newest_transitions
from sync.central.records.patients import patient_named
from sync.central.records.site import SiteSettings, read_site
from sync.central.services.current_state import estimated_wait, people_before
from sync.central.services.errors import UNKNOWN_PATIENT, ApiError
from sync.central.services.lists import MAX_ROWS
from sync.central.services.told import Told, told_of
from sync.central.store.transactions import ReadTransaction
from sync.clock import iso
from sync.journey.definitions import Definitions


class QueueRow(msgspec.Struct, frozen=True):
    """One entry of the queue, for staff."""

    queue_id: str
    patient_id: str
    masked_name: str
    exam_id: str
    exam_name: str
    room: str
    state: str
    queue_number: str
    label_aliases: tuple[str, ...]
    priority: int
    opened_at: str
    estimated_wait_time: int
    people_ahead: int
    journey_state: str


class Search(msgspec.Struct, frozen=True):
    """A search of the queue. A field that is not given does not limit the search.

    `q` is a queue number or a patient id; with `by_name` also the beginnings of words of a name. No URL may hold a
    name.
    """

    exam_id: str | None = None
    state: str | None = None
    q: str | None = None
    by_name: bool = False


class QueuePage(msgspec.Struct, frozen=True):
    """The entries that a search found; `timestamp` is ISO 8601 with the site's offset."""

    entries: list[QueueRow]
    timestamp: str


class PastAction(msgspec.Struct, frozen=True):
    """One transition of a patient's history. Times are ISO 8601 with the site's offset.

    `metadata` holds the other members of the request, with a card as its hashes alone.
    """

    from_state: str
    to_state: str
    action: str
    trigger_type: str
    source: str
    action_id: str | None
    visit_id: str | None
    leg: int
    metadata: Mapping[str, Any]
    time_quality: str
    happened_at: str
    recorded_at: str


class History(msgspec.Struct, frozen=True):
    """A patient's newest transitions, oldest first."""

    patient_id: str
    transitions: list[PastAction]


def search_queue(centre: Centre, search: Search) -> Told | ApiError:
    """The QueuePage of today's entries that fit a search, at most 500, each line in its order.

    Without a state, the live entries.
    """
    if search.state is not None and search.state not in centre.definitions.queue_states:
        return ApiError("unknown_state", "There is no such queue state.")
    now_ms = centre.clock()
    with centre.store.read() as db:
        site = read_site(db)
        rows = queue_rows(db, centre.definitions, site, site.day(now_ms), search)
    page = QueuePage(rows, iso(now_ms, site.site.timezone))
    return told_of(page, AuditKind.LOOK_QUEUE, [row.patient_id for row in rows])


def history(centre: Centre, named: str) -> Told | ApiError:
    """A patient's History: the newest 500 transitions, oldest first."""
    with centre.store.read() as db:
        patient_id = patient_named(db, named)
        if patient_id is None:
            return UNKNOWN_PATIENT
        timezone = read_site(db).site.timezone
        rows = newest_transitions(db, patient_id, MAX_ROWS)
        shown = History(patient_id, [_past_action(row, timezone) for row in rows])
        return Told(shown, AuditKind.LOOK_HISTORY, (patient_id,))


def queue_rows(
    db: ReadTransaction, definitions: Definitions, site: SiteSettings, today: str, search: Search
) -> list[QueueRow]:
    """The entries of a day that fit a search, each line in the order of the rules."""
    states = [search.state] if search.state else definitions.live
    listed = find_entries(db, today, states, MAX_ROWS, exam_id=search.exam_id, text=search.q, by_name=search.by_name)
    return [_queue_row(db, definitions, site, today, each) for each in listed]


def _queue_row(
    db: ReadTransaction, definitions: Definitions, site: SiteSettings, today: str, listed: ListedEntry
) -> QueueRow:
    entry = listed.entry
    ahead = people_before(db, definitions, today, entry)
    return QueueRow(
        entry.queue_id,
        listed.patient_id,
        listed.masked_name,
        entry.exam_id,
        entry.exam_name,
        entry.room,
        entry.state,
        entry.queue_number,
        entry.label_aliases,
        entry.priority,
        iso(entry.opened_ms, site.site.timezone),
        estimated_wait(entry, ahead),
        ahead,
        listed.journey_state,
    )


def _past_action(row: RecordedTransition, timezone: str) -> PastAction:
    return PastAction(
        row.from_state,
        row.to_state,
        row.action,
        row.trigger_type,
        row.source,
        row.action_id,
        row.visit_id,
        row.leg,
        row.metadata,
        row.time_quality,
        iso(row.happened_ms, timezone),
        iso(row.recorded_ms, timezone),
    )
