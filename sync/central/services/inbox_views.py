"""The exception inbox as staff see it: the list of open cases, and one case with all its details."""

import sqlite3
from dataclasses import dataclass
from typing import Any

import msgspec

from sync.central.conflicts.waiting import WaitingAction, waiting_of_case
from sync.central.records.site import SiteSettings
from sync.central.records.verdicts import latest_verdict
from sync.central.services.current_state import current_state
from sync.central.services.settlement import Settlement
from sync.central.store.transactions import ReadTransaction
from sync.clock import iso
from sync.journey.definitions import Definitions
from sync.journey.model import STAFF, Journey

MAX_ROWS = 500
MAX_BODY = 4096  # characters of a quarantined record


@dataclass(frozen=True, slots=True)
class CasePage:
    """Some of the open cases in their order, and the number of cases after them."""

    cases: list[dict[str, Any]]
    more: int


def open_cases(
    db: ReadTransaction, site: SiteSettings, after: str | None = None, limit: int = MAX_ROWS
) -> CasePage | None:
    """The open cases, oldest first: `limit` of them after the case `after`, which may be settled, or from the first.

    None where there is no case `after`.
    """
    begin = db.row("select opened_ms, exception_id from exceptions where exception_id = :after", after=after)
    if after is not None and begin is None:
        return None
    place = {"after_ms": begin["opened_ms"], "after": begin["exception_id"]} if begin else {"after_ms": -1, "after": ""}
    rows = db.rows(
        "select exception_id, code, patient_id, action_id, visit_id, kiosk_id, detail, opened_ms"  # noqa: S608
        f" from exceptions where {_OPEN_AFTER} order by opened_ms, exception_id limit :limit",
        **place,
        limit=limit,
    )
    left = db.value(f"select count(*) from exceptions where {_OPEN_AFTER}", **place)  # noqa: S608
    return CasePage([_shown(row, site) for row in rows], left - len(rows))


_OPEN_AFTER = "settled_ms is null and (opened_ms, exception_id) > (:after_ms, :after)"


def case_view(
    db: ReadTransaction,
    definitions: Definitions,
    site: SiteSettings,
    exception_id: str,
    journey: Journey | None,
    now_ms: int,
) -> dict[str, Any] | None:
    """One case: patient, actions, times, what the kiosk showed, what the centre knew then and knows now.

    `journey` is the patient's, where the case is about a patient. None for an unknown id.
    """
    row = db.row("select * from exceptions where exception_id = :exception_id", exception_id=exception_id)
    if row is None:
        return None
    waiting = waiting_of_case(db, exception_id)
    settled_ms = row["settled_ms"]
    shown = _shown(row, site) | {
        "patient": _patient(db, journey),
        "kiosk": _kiosk(db, row["kiosk_id"]),
        "actions": [_action(db, site, each) for each in waiting],
        "now": current_state(db, definitions, site, journey, STAFF, now_ms) if journey else None,
        "may": settlements_of(db, exception_id, waiting),
        "quarantined": _quarantined(db, exception_id),
        "settled_at": None if settled_ms is None else iso(settled_ms, site.site.timezone),
        "settlement": None if row["settlement"] is None else msgspec.json.decode(row["settlement"]),
    }
    del shown["settled_ms"]
    return shown


def settlements_of(db: ReadTransaction, exception_id: str, waiting: list[WaitingAction]) -> list[Settlement]:
    """How a case may be settled. A case without waiting actions can only be discarded."""
    row = db.row("select settled_ms from exceptions where exception_id = :id", id=exception_id)
    if row is None or row["settled_ms"] is not None:
        return []
    return list(Settlement) if waiting else [Settlement.DISCARD]


def _shown(row: sqlite3.Row, site: SiteSettings) -> dict[str, Any]:
    """A row as the API has it: times in ISO 8601, JSON as values."""
    shown = {column: row[column] for column in row.keys() if column not in ("opened_ms", "detail")}  # noqa: SIM118
    detail = msgspec.json.decode(row["detail"])
    if "happened_ms" in detail:
        detail["happened_at"] = iso(detail.pop("happened_ms"), site.site.timezone)
    return shown | {"opened_at": iso(row["opened_ms"], site.site.timezone), "detail": detail}


def _patient(db: ReadTransaction, journey: Journey | None) -> dict[str, Any] | None:
    if journey is None:
        return None
    row = db.row("select patient_id, masked_name from patients where patient_id = :id", id=journey.patient_id)
    return dict(row) if row else None


def _kiosk(db: ReadTransaction, kiosk_id: str | None) -> dict[str, Any] | None:
    row = db.row("select kiosk_id, name, revoked_ms from kiosks where kiosk_id = :id", id=kiosk_id)
    return {"kiosk_id": row["kiosk_id"], "name": row["name"], "revoked": row["revoked_ms"] is not None} if row else None


def _action(db: ReadTransaction, site: SiteSettings, waiting: WaitingAction) -> dict[str, Any]:
    verdict = latest_verdict(db, waiting.verdict_id)
    assert verdict is not None
    intent = waiting.intent
    return {
        "action_id": intent.action_id,
        "action_type": intent.action_type,
        "code": verdict.code,
        "revision": verdict.revision,
        "payload": intent.payload,
        "journey_state": intent.journey_state,
        "leg": intent.leg,
        "queue_number": intent.queue_number,
        "site_day": intent.site_day,
        "received_at": iso(waiting.received_ms, site.site.timezone),
    }


def _quarantined(db: ReadTransaction, exception_id: str) -> dict[str, Any] | None:
    row = db.row("select verdict_id, reason, body from quarantine where exception_id = :id", id=exception_id)
    return {"reason": row["reason"], "body": row["body"][:MAX_BODY]} if row else None
