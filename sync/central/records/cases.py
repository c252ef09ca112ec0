"""Cases of the exception inbox as rows: the matter of each case, and how staff settled it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from sync.central.store.transactions import ReadTransaction, WriteTransaction

# Codes of cases without a single verdict. A case about a verdict has the verdict's own code.
FORK = "fork"  # a kiosk's disk was restored or cloned
GAP = "gap"  # actions of a kiosk are lost
TWO_VISITS = "two_visits"  # two records of one person were merged, and each was on a visit
REVERSED = "reversed"  # the kiosk was told that the action was applied; after a restore of the centre it is not applied
DUPLICATE_NUMBER = "duplicate_number"  # a cloned or set-back kiosk printed a number that was in use
DAY_ENDED = "day_ended"  # the centre's clock was ahead, and ended the day of a patient on a visit


@dataclass(frozen=True, slots=True)
class NewCase:
    """The matter of a case: ids, and a detail of ids and states, or of answers where answers differ."""

    code: str
    kiosk_id: str | None
    detail: Mapping[str, Any]
    patient_id: str | None = None
    action_id: str | None = None
    visit_id: str | None = None


def open_case(db: WriteTransaction, exception_id: str, new: NewCase, now_ms: int) -> None:
    """Adds a case to the inbox."""
    db.execute(
        "insert into exceptions values (:exception_id, :code, :patient_id, :action_id, :visit_id, :kiosk_id, :detail,"
        " :now_ms, null, null, null)",
        {
            "exception_id": exception_id,
            "code": new.code,
            "patient_id": new.patient_id,
            "action_id": new.action_id,
            "visit_id": new.visit_id,
            "kiosk_id": new.kiosk_id,
            "detail": msgspec.json.encode(new.detail).decode(),
            "now_ms": now_ms,
        },
    )


def has_open_case(db: ReadTransaction, code: str, kiosk_id: str) -> bool:
    """Whether a case with this code about this kiosk is open."""
    row = db.row(
        "select 1 from exceptions where code = :code and kiosk_id = :kiosk_id and settled_ms is null",
        code=code,
        kiosk_id=kiosk_id,
    )
    return row is not None


def close_case(db: WriteTransaction, exception_id: str, who: str, settlement: Mapping[str, Any], now_ms: int) -> None:
    """Closes an open case, with how it was settled and by whom."""
    db.execute(
        "update exceptions set settled_ms = :now_ms, settled_by = :who, settlement = :settlement"
        " where exception_id = :exception_id and settled_ms is null",
        {
            "now_ms": now_ms,
            "who": who,
            "settlement": msgspec.json.encode(settlement).decode(),
            "exception_id": exception_id,
        },
    )
