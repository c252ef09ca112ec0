"""Cases of the exception inbox as rows: the matter of each case, and how staff settled it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from sync.central.records.effects import Period
from sync.central.store.connection import Row
from sync.central.store.transactions import Order, ReadTransaction, WriteTransaction, Writing
from sync.protocol import Code

# Codes of cases without a single verdict. A case about a verdict has the verdict's own code.
FORK = "fork"  # a kiosk's disk was restored or cloned
GAP = "gap"  # actions of a kiosk are lost
BAD_CURSOR = "bad_cursor"  # a kiosk named a cursor that the centre has given to nobody
REPLACED_IN_USE = "replaced_token"  # a kiosk's token was used after a newer one had replaced it
REWRITTEN = "rewritten"  # a kiosk sent another action than the one that it had told of
MANY_CARDS = "many_cards"  # a kiosk named more cards than a reader can read
NOT_NAMED = "not_named"  # an action about a patient whom the centre never named to a kiosk
TWO_VISITS = "two_visits"  # two records of one person were merged, and each was on a visit
REVERSED = "reversed"  # the kiosk was told that the action was applied; after a restore of the centre it is not applied
DUPLICATE_NUMBER = "duplicate_number"  # a cloned or set-back kiosk printed a number that was in use
BOOKING_MOVED = "booking_moved"  # the hospital moved or cancelled the booking of a patient who was called already
DAY_ENDED = "day_ended"  # the centre's clock was ahead, and ended the day of a patient on a visit
TAKEN_BACK = "taken_back"  # an action of a time of which all that the kiosk did was taken back
NOT_TAKEN_BACK = "not_taken_back"  # acts of a kiosk that were to be taken back, and others have built on them
CALL_REFUSED = "call_refused"  # calls of a kiosk that were refused, such as those in another kiosk's name
GRANTS_CUT = "grants_cut"  # a kiosk asked at its enrolment for more than its code grants
ENROLMENT_REFUSED = "enrolment_refused"  # somebody tried to enrol a kiosk, and was refused


class NewCase(msgspec.Struct, frozen=True):
    """The matter of a case: ids, and a detail of ids and states, or of answers where answers differ.

    Where it may happen again and again, `matter` says what the repeats have in common: they go into one case.
    """

    code: str
    kiosk_id: str | None
    detail: Mapping[str, Any]
    patient_id: str | None = None
    action_id: str | None = None
    visit_id: str | None = None
    matter: str | None = None


@dataclass(frozen=True, slots=True)
class InboxCase:
    """A case of the inbox. `settled_ms`, `settled_by` and `settlement` are None while the case is open.

    `count` says how often it happened, `last_ms` when it happened last.
    """

    exception_id: str
    code: str
    patient_id: str | None
    action_id: str | None
    visit_id: str | None
    kiosk_id: str | None
    detail: Mapping[str, Any]
    opened_ms: int
    settled_ms: int | None
    settled_by: str | None
    settlement: Mapping[str, Any] | None
    count: int
    last_ms: int


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """The cases that a list shows: of one kiosk, of one code, opened before a moment; None for any."""

    kiosk_id: str | None = None
    code: str | None = None
    before_ms: int | None = None


ALL_CASES = CaseFilter()


@dataclass(frozen=True, slots=True)
class CaseGroup:
    """The number of open cases of one code and one kiosk. `kiosk_id` is None for cases about no kiosk."""

    code: str
    kiosk_id: str | None
    count: int


def open_case(db: WriteTransaction, exception_id: str, new: NewCase, now_ms: int) -> None:
    """Adds a case to the inbox, and announces it."""
    db.announce_case(exception_id)
    db.write(
        _ADD,
        {
            "exception_id": exception_id,
            "code": new.code,
            "patient_id": new.patient_id,
            "action_id": new.action_id,
            "visit_id": new.visit_id,
            "kiosk_id": new.kiosk_id,
            "detail": msgspec.json.encode(new.detail).decode(),
            "now_ms": now_ms,
            "matter": new.matter,
        },
    )


def open_or_repeat(db: WriteTransaction, exception_id: str, new: NewCase, now_ms: int, most: int | None = None) -> str:
    """Adds a case, or counts a repeat in the open case of the same kiosk, code and matter. Returns the case's id.

    A case that has counted `most` of them takes no more.
    """
    repeated = db.row(
        "update exceptions set count = count + 1, last_ms = :now_ms where exception_id = (select exception_id"
        " from exceptions where code = :code and matter = :matter and settled_ms is null"
        " and coalesce(kiosk_id, '') = :kiosk_id and (cast(:most as bigint) is null or count < :most)"
        " order by opened_ms limit 1) returning exception_id",
        now_ms=now_ms,
        code=new.code,
        matter=new.matter,
        kiosk_id=new.kiosk_id or "",
        most=most,
    )
    if repeated is not None:
        db.announce_case(repeated["exception_id"])
        return str(repeated["exception_id"])
    open_case(db, exception_id, new, now_ms)
    return exception_id


def open_cases_of_kiosk(
    db: ReadTransaction, period: Period, after: str, limit: int, code: str | None = None
) -> list[InboxCase]:
    """The open cases of a kiosk, of a period of opening, by their ids: `limit` of them after the id `after`.

    With `code` only those of this code.
    """
    rows = db.rows(
        "select * from exceptions where kiosk_id = :kiosk_id and settled_ms is null and opened_ms >= :since_ms"
        " and (cast(:until_ms as bigint) is null or opened_ms <= :until_ms) and exception_id > :after"
        " and (cast(:code as text) is null or code = :code) order by exception_id limit :limit",
        kiosk_id=period.kiosk_id,
        since_ms=period.since_ms,
        until_ms=period.until_ms,
        after=after,
        limit=limit,
        code=code,
    )
    return [_case(row) for row in rows]


def read_case(db: ReadTransaction, exception_id: str) -> InboxCase | None:
    """The case of an id, open or settled; None for an unknown id."""
    row = db.row("select * from exceptions where exception_id = :exception_id", exception_id=exception_id)
    return _case(row) if row else None


def open_cases(
    db: ReadTransaction, after: InboxCase | None, limit: int, which: CaseFilter = ALL_CASES
) -> list[InboxCase]:
    """The open cases, oldest first: `limit` of them after the case `after`, or from the first."""
    rows = db.rows(
        f"select * from exceptions where {_OPEN_AFTER} order by opened_ms, exception_id limit :limit",  # noqa: S608
        **_place(after, which),
        limit=limit,
    )
    return [_case(row) for row in rows]


def count_open_cases(db: ReadTransaction, after: InboxCase | None = None, which: CaseFilter = ALL_CASES) -> int:
    """The number of open cases after the case `after`, or of all."""
    return int(db.value(f"select count(*) from exceptions where {_OPEN_AFTER}", **_place(after, which)))  # noqa: S608


def groups_of_open_cases(db: ReadTransaction) -> list[CaseGroup]:
    """The open cases by code and kiosk."""
    rows = db.rows(
        "select code, kiosk_id, count(*) as count from exceptions where settled_ms is null and code <> :elsewhere"
        " group by code, kiosk_id order by code, kiosk_id",
        elsewhere=Code.DECIDED_ELSEWHERE.value,
    )
    return [CaseGroup(row["code"], row["kiosk_id"], row["count"]) for row in rows]


def settled_cases(db: ReadTransaction, since_ms: int, before: InboxCase | None, limit: int) -> list[InboxCase]:
    """The cases that were settled from a moment on, the last one first: `limit` of them, those before the case
    `before`.
    """
    rows = db.rows(
        f"select * from exceptions where {_SETTLED_BEFORE} order by settled_ms desc, exception_id desc limit :limit",  # noqa: S608
        **_settled_place(since_ms, before),
        limit=limit,
    )
    return [_case(row) for row in rows]


def count_settled_cases(db: ReadTransaction, since_ms: int, before: InboxCase | None) -> int:
    """The number of cases that were settled from a moment on, before the case `before`."""
    place = _settled_place(since_ms, before)
    return int(db.value(f"select count(*) from exceptions where {_SETTLED_BEFORE}", **place))  # noqa: S608


def has_open_case(db: ReadTransaction, code: str, kiosk_id: str) -> bool:
    """Whether a case with this code about this kiosk is open."""
    row = db.row(
        "select 1 from exceptions where code = :code and kiosk_id = :kiosk_id and settled_ms is null",
        code=code,
        kiosk_id=kiosk_id,
    )
    return row is not None


def open_cases_with(db: ReadTransaction, code: str) -> list[InboxCase]:
    """The open cases with this code, oldest first."""
    rows = db.rows(
        "select * from exceptions where code = :code and settled_ms is null order by opened_ms, exception_id", code=code
    )
    return [_case(row) for row in rows]


def cases_of(db: ReadTransaction, code: str, patient_id: str) -> list[InboxCase]:
    """The cases with this code about a patient, open and settled, oldest first."""
    rows = db.rows(
        "select * from exceptions where code = :code and patient_id = :patient_id order by opened_ms, exception_id",
        code=code,
        patient_id=patient_id,
    )
    return [_case(row) for row in rows]


def hand_to_staff(db: WriteTransaction, exception_id: str, code: str, now_ms: int) -> None:
    """Gives a case that has waited for another system to staff, with a code of its own."""
    db.announce_case(exception_id)
    db.execute(
        "update exceptions set code = :code, opened_ms = :now_ms, last_ms = :now_ms where exception_id = :exception_id",
        {"code": code, "now_ms": now_ms, "exception_id": exception_id},
    )


def close_case(db: WriteTransaction, exception_id: str, who: str, settlement: Mapping[str, Any], now_ms: int) -> None:
    """Closes an open case, with how it was settled and by whom."""
    db.announce_case(exception_id)
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


# An action that waits for the hospital's other system is none for staff yet.
_OPEN_AFTER = (
    f"settled_ms is null and code <> '{Code.DECIDED_ELSEWHERE}' and (opened_ms, exception_id) > (:after_ms, :after)"
    " and (cast(:kiosk_id as text) is null or kiosk_id = :kiosk_id)"
    " and (cast(:code as text) is null or code = :code)"
    " and (cast(:before_ms as bigint) is null or opened_ms < :before_ms)"
)
_SETTLED_BEFORE = "settled_ms >= :since_ms and (settled_ms, exception_id) < (:before_ms, :before)"


def _place(after: InboxCase | None, which: CaseFilter) -> dict[str, object]:
    """The parameters of `_OPEN_AFTER`."""
    return {
        "after_ms": after.opened_ms if after else -1,
        "after": after.exception_id if after else "",
        "kiosk_id": which.kiosk_id,
        "code": which.code,
        "before_ms": which.before_ms,
    }


def _settled_place(since_ms: int, before: InboxCase | None) -> dict[str, object]:
    """The parameters of `_SETTLED_BEFORE`."""
    before_ms = before.settled_ms if before else None
    return {
        "since_ms": since_ms,
        "before_ms": _NEVER_MS if before_ms is None else before_ms,
        "before": before.exception_id if before else "",
    }


_NEVER_MS = 1 << 62


def _case(row: Row) -> InboxCase:
    return InboxCase(
        row["exception_id"],
        row["code"],
        row["patient_id"],
        row["action_id"],
        row["visit_id"],
        row["kiosk_id"],
        msgspec.json.decode(row["detail"]),
        row["opened_ms"],
        row["settled_ms"],
        row["settled_by"],
        None if row["settlement"] is None else msgspec.json.decode(row["settlement"]),
        row["count"],
        row["last_ms"],
    )


_ADD = Writing(
    "insert into exceptions values (:exception_id, :code, :patient_id, :action_id, :visit_id, :kiosk_id, :detail,"
    " :now_ms, null, null, null, :matter, 1, :now_ms)",
    Order.FIRST,
)
