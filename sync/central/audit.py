"""Who looked at whom, and what was done beside the journeys: one row each, ids only."""

from collections.abc import Mapping
from typing import Any

import msgspec

from sync.central.store import Writing
from sync.ids import new_id


def note(
    db: Writing,
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
