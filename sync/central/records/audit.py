"""The audit: who was told of which patient, who was refused, and the actions besides journeys. Ids only."""

from collections.abc import Mapping
from typing import Any

import msgspec

from sync.central.records.audit_kinds import KEPT_DAYS, AuditKind
from sync.central.store.interface import Store
from sync.central.store.transactions import WriteTransaction, Writing
from sync.clock import DAY_MS
from sync.ids import new_id, uuid7

_AT_ONCE = 1000
_NOTE = Writing("insert into audit values (:audit_id, :now_ms, :who, :kind, :patient_id, :action_id, :detail)")


def note(
    db: WriteTransaction,
    who: str,
    kind: AuditKind,
    now_ms: int,
    *,
    patient_id: str | None = None,
    action_id: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Adds a row: who did what, about which patient or action."""
    db.write(
        _NOTE,
        {
            "audit_id": new_id(),
            "now_ms": now_ms,
            "who": who,
            "kind": str(kind),
            "patient_id": patient_id,
            "action_id": action_id,
            "detail": msgspec.json.encode(detail or {}).decode(),
        },
    )


def delete_old_rows(store: Store, now_ms: int, kept_days: int = KEPT_DAYS) -> int:
    """Deletes rows older than `kept_days`, a thousand a transaction. Returns how many it deleted."""
    until_ms, deleted = now_ms - kept_days * DAY_MS, 0
    # Ids sort by the machine's time at their making, so the primary key finds the oldest rows. The machine's time may
    # be wrong, so `at_ms` decides.
    bound = uuid7(max(until_ms, 0), bytes(10))
    while True:
        with store.write() as db:
            rows = db.execute(
                "delete from audit where audit_id in (select audit_id from audit"
                " where audit_id < :bound and at_ms < :until_ms order by audit_id limit :at_once)",
                {"bound": bound, "until_ms": until_ms, "at_once": _AT_ONCE},
            ).rowcount
        deleted += rows
        if rows < _AT_ONCE:
            return deleted
