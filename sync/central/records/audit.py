"""The audit: who was told of which patient, who was refused, and the actions besides journeys. Ids only."""

from collections.abc import Mapping
from typing import Any

import msgspec

from sync.central.records.audit_kinds import AuditKind
from sync.central.store.transactions import WriteTransaction, Writing
from sync.ids import new_id

BY_ITSELF = "centre"  # who, in a row about what no person has done
_NOTE = Writing(
    "insert into audit (audit_id, at_ms, who, kind, patient_id, action_id, detail)"
    " values (:audit_id, :now_ms, :who, :kind, :patient_id, :action_id, :detail)"
)


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
    """Adds a row: who did what, about which patient or action, and from which address where a network asked for it."""
    origin = {} if db.asked_from is None else {"from": db.asked_from}
    db.write(
        _NOTE,
        {
            "audit_id": new_id(),
            "now_ms": now_ms,
            "who": who,
            "kind": str(kind),
            "patient_id": patient_id,
            "action_id": action_id,
            "detail": msgspec.json.encode({**origin, **(detail or {})}).decode(),
        },
    )
