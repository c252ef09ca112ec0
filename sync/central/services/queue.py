"""The views of staff: the queue as a list to search, and a patient's history."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from sync.central.centre import Centre
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.entry_search import ListedEntry, find_entries
from sync.central.records.history import END, RecordedTransition, TransitionPlace, newest_transitions
from sync.central.records.patients import patient_named
from sync.central.records.site import SiteSettings, read_site
from sync.central.services.current_state import estimated_wait, people_before
from sync.central.services.errors import UNKNOWN_PATIENT, ApiError
from sync.central.services.lists import NEWEST, Earlier, Page
from sync.central.services.told import Told, told_of
from sync.central.store.transactions import ReadTransaction
from sync.clock import iso
from sync.journey.definitions import Definitions

_NO_ENTRY = ApiError("not_found", "after must name an entry of the list.")
_NO_PLACE = ApiError("malformed", "before must be an `earlier` of a history.")
_PLACE = re.compile(r"([0-9]{1,18})\.([0-9]{1,9})")


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


class Search(Page, frozen=True, kw_only=True):
    """A search of today's queue. A member that is not given does not limit the search.

    `q` is a queue number or a patient's id. In a body it may also be words of a name, and no URL may hold one.
    Without `state`, the live entries. `after` is the queue_id of an entry.
    """

    exam_id: str | None = None
    state: str | None = None
    q: str | None = None


class QueuePage(msgspec.Struct, frozen=True):
    """Some of the entries that a search found, each line in its order, and the number of entries after them.

    `timestamp` is ISO 8601 with the site's offset.
    """

    entries: list[QueueRow]
    timestamp: str
    more: int


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
    """Some of a patient's transitions, oldest first.

    `earlier` is what `before` is in the query for those before them; null where there are none.
    """

    patient_id: str
    transitions: list[PastAction]
    earlier: str | None


def search_queue(centre: Centre, search: Search, *, by_name: bool = False) -> Told | ApiError:
    """The QueuePage of today's entries that fit a search. With `by_name`, by the beginnings of words of a name too."""
    if search.state is not None and search.state not in centre.definitions.queue_states:
        return ApiError("unknown_state", "There is no such queue state.")
    now_ms = centre.clock()
    with centre.store.read() as db:
        site = read_site(db)
        today = site.day(now_ms)
        found = find_entries(
            db,
            today,
            [search.state] if search.state else centre.definitions.live,
            search.limit,
            exam_id=search.exam_id,
            text=search.q,
            by_name=by_name,
            after=search.after,
        )
        if found is None:
            return _NO_ENTRY
        rows = [_queue_row(db, centre.definitions, site, today, each) for each in found.entries]
    page = QueuePage(rows, iso(now_ms, site.site.timezone), found.more)
    return told_of(page, AuditKind.LOOK_QUEUE, [row.patient_id for row in rows])


def history(centre: Centre, named: str, page: Earlier = NEWEST) -> Told | ApiError:
    """A patient's History."""
    before = read_place(page.before)
    if before is None:
        return _NO_PLACE
    with centre.store.read() as db:
        patient_id = patient_named(db, named)
        if patient_id is None:
            return UNKNOWN_PATIENT
        timezone = read_site(db).site.timezone
        rows = newest_transitions(db, patient_id, page.limit + 1, before)
        shown, earlier = rows[-page.limit :], rows[: -page.limit]
        place = f"{shown[0].change}.{shown[0].position}" if earlier else None
        found = History(patient_id, [_past_action(row, timezone) for row in shown], place)
        return Told(found, AuditKind.LOOK_HISTORY, (patient_id,))


def read_place(text: str | None) -> TransitionPlace | None:
    """The place that `earlier` of a History names; the end of the history without a text; None for another text."""
    if text is None:
        return END
    match = _PLACE.fullmatch(text)
    return TransitionPlace(int(match[1]), int(match[2])) if match else None


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
