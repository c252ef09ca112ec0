"""The views of staff: the queue as a list to search, and a patient's history."""

import sqlite3
from typing import Any

import msgspec

from sync.central.centre import Centre
from sync.central.records.entries import entry_of_row, line_order
from sync.central.records.patients import patient_named
from sync.central.records.site import SiteSettings, read_site
from sync.central.services.current_state import estimated_wait
from sync.central.services.errors import UNKNOWN_PATIENT, ApiError
from sync.central.store.transactions import ReadTransaction, any_of
from sync.clock import iso
from sync.journey.definitions import Definitions

MAX_ROWS = 500


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
    journey_state: str


class Search(msgspec.Struct, frozen=True):
    """A search of the queue. A field that is not given does not limit the search.

    `q` is a queue number or a patient id; with `by_name` also the beginning of a name. No URL may hold a name.
    """

    exam_id: str | None = None
    state: str | None = None
    q: str | None = None
    by_name: bool = False


class QueuePage(msgspec.Struct, frozen=True):
    """The entries that a search found; `timestamp` is ISO 8601 with the site's offset."""

    entries: list[QueueRow]
    timestamp: str


def search_queue(centre: Centre, search: Search) -> QueuePage | ApiError:
    """Today's entries that fit a search, at most 500, each line in its order. Without a state, the live entries."""
    if search.state is not None and search.state not in centre.definitions.queue_states:
        return ApiError("unknown_state", "There is no such queue state.")
    now_ms = centre.clock()
    with centre.store.read() as db:
        site = read_site(db)
        rows = queue_rows(db, centre.definitions, site, site.day(now_ms), search)
    return QueuePage(rows, iso(now_ms, site.site.timezone))


def history(centre: Centre, named: str) -> dict[str, Any] | ApiError:
    """A patient's transitions, the newest 500, oldest first: {patient_id, transitions}."""
    with centre.store.read() as db:
        patient_id = patient_named(db, named)
        if patient_id is None:
            return UNKNOWN_PATIENT
        return {"patient_id": patient_id, "transitions": _transitions(db, read_site(db), patient_id)}


def queue_rows(
    db: ReadTransaction, definitions: Definitions, site: SiteSettings, today: str, search: Search
) -> list[QueueRow]:
    """The entries of a day that fit a search, each line in the order of the rules."""
    names, states = any_of("state", [search.state] if search.state else definitions.live)
    rows = db.execute(
        "select e.*, p.masked_name, j.state as journey_state"  # noqa: S608 (placeholders only)
        " from entries e join patients p on p.patient_id = e.patient_id join journeys j on j.patient_id = e.patient_id"
        f" where e.site_day = :today and e.state in {names}"
        " and (cast(:exam_id as text) is null or e.exam_id = :exam_id)"
        " and (cast(:q as text) is null or e.patient_id = :q or lower(e.queue_number) = lower(:q)"
        " or lower(e.label_aliases) like '%\"' || lower(:q_like) || '\"%' escape '\\'"
        " or (:by_name = 1 and lower(p.name) like lower(:q_like) || '%' escape '\\'))"
        f" order by e.exam_id, {line_order('e')} limit :limit",
        {
            "today": today,
            "exam_id": search.exam_id,
            "q": search.q,
            "q_like": _literal(search.q or ""),
            "by_name": int(search.by_name),
            "limit": MAX_ROWS,
            **states,
        },
    ).fetchall()
    return [_queue_row(db, definitions, site, row) for row in rows]


def _transitions(db: ReadTransaction, site: SiteSettings, patient_id: str) -> list[dict[str, Any]]:
    rows = db.rows(
        "select from_state, to_state, action, trigger_type, source, action_id, visit_id, leg, metadata, happened_ms,"
        " recorded_ms, time_quality from transitions where patient_id = :patient_id"
        " order by change desc, position desc limit :limit",
        patient_id=patient_id,
        limit=MAX_ROWS,
    )
    return [_with_times(row, site, "happened_ms", "recorded_ms", json="metadata") for row in reversed(rows)]


def _queue_row(db: ReadTransaction, definitions: Definitions, site: SiteSettings, row: sqlite3.Row) -> QueueRow:
    entry = entry_of_row(row)
    return QueueRow(
        entry.queue_id,
        row["patient_id"],
        row["masked_name"],
        entry.exam_id,
        entry.exam_name,
        entry.room,
        entry.state,
        entry.queue_number,
        entry.label_aliases,
        entry.priority,
        iso(entry.opened_ms, site.site.timezone),
        estimated_wait(db, definitions, row["site_day"], entry),
        row["journey_state"],
    )


def _with_times(row: sqlite3.Row, site: SiteSettings, *times: str, json: str) -> dict[str, Any]:
    """A row as the API has it: times in ISO 8601 (`opened_ms` becomes `opened_at`), JSON as values."""
    shown = {column: row[column] for column in row.keys() if column not in times}  # noqa: SIM118 (a Row yields values)
    shown[json] = msgspec.json.decode(row[json])
    return shown | {time.replace("_ms", "_at"): iso(row[time], site.site.timezone) for time in times}


def _literal(text: str) -> str:
    """Text that `like … escape '\\'` takes literally."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
