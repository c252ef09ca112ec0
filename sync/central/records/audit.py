"""Who looked at whom, and what was done beside the journeys: one row each, ids only."""

from collections.abc import Mapping
from typing import Any

import msgspec

from sync.central.store.sqlite import Store, WriteTransaction
from sync.clock import DAY_MS
from sync.ids import new_id, uuid7

KEPT_DAYS = 730
_AT_ONCE = 1000


def note(
    db: WriteTransaction,
    who: str,
    kind: str,
    now_ms: int,
    *,
    patient_id: str | None = None,
    action_id: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Adds a row: who did what, to or about whom."""
    db.execute(
        "insert into audit values (:audit_id, :now_ms, :who, :kind, :patient_id, :action_id, :detail)",
        {
            "audit_id": new_id(),
            "now_ms": now_ms,
            "who": who,
            "kind": kind,
            "patient_id": patient_id,
            "action_id": action_id,
            "detail": msgspec.json.encode(detail or {}).decode(),
        },
    )


def forget_old(store: Store, now_ms: int, kept_days: int = KEPT_DAYS) -> int:
    """Deletes what is older than so many days, a thousand rows a transaction. Returns how many rows there were."""
    until_ms, forgotten = now_ms - kept_days * DAY_MS, 0
    # Ids sort by the time of their making, so the primary key finds the oldest; but that time is the machine's clock's.
    bound = uuid7(max(until_ms, 0), bytes(10))
    while True:
        with store.write() as db:
            gone = db.execute(
                "delete from audit where audit_id in (select audit_id from audit"
                " where audit_id < :bound and at_ms < :until_ms order by audit_id limit :at_once)",
                {"bound": bound, "until_ms": until_ms, "at_once": _AT_ONCE},
            ).rowcount
        forgotten += gone
        if gone < _AT_ONCE:
            return forgotten
