"""The exception inbox: a case for staff for every action that the centre could not settle by itself, and the actions
themselves, kept whole until their case is settled."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from sync.cards import CardHash
from sync.central.conflicts.evidence import Evidence, ReceivedAction
from sync.central.store.sqlite import ReadTransaction, WriteTransaction, any_of
from sync.clock import ClockReading
from sync.protocol import Code, Intent, canonical

_intent = msgspec.json.Decoder(Intent)
_clock = msgspec.json.Decoder(ClockReading)

FORK = "fork"  # a kiosk's disk was restored or cloned
GAP = "gap"  # actions of a kiosk are missing for good
TWO_VISITS = "two_visits"  # records of one person were merged, each of them on a visit
REVERSED = "reversed"  # the centre was restored, and what a kiosk had been told was done is not any more
DUPLICATE_NUMBER = "duplicate_number"  # one number was printed twice: by a clone, or by a kiosk that was set back
DAY_ENDED = "day_ended"  # the centre's clock was ahead, and ended the day of somebody who was on a visit


@dataclass(frozen=True, slots=True)
class NewCase:
    """What a case is about: ids, and details that hold ids and states (and answers, where those are the matter)."""

    code: str
    kiosk_id: str | None
    detail: Mapping[str, Any]
    patient_id: str | None = None
    action_id: str | None = None
    visit_id: str | None = None


@dataclass(frozen=True, slots=True)
class WaitingAction:
    """An action that waits for staff."""

    verdict_id: str
    exception_id: str
    kiosk_id: str
    seq: int
    visit_id: str
    intent: Intent
    sent: ClockReading
    received_ms: int


def open_case(db: WriteTransaction, exception_id: str, concern: NewCase, now_ms: int) -> None:
    """Puts a case into the inbox."""
    db.execute(
        "insert into exceptions values (:exception_id, :code, :patient_id, :action_id, :visit_id, :kiosk_id, :detail,"
        " :now_ms, null, null, null)",
        {
            "exception_id": exception_id,
            "code": concern.code,
            "patient_id": concern.patient_id,
            "action_id": concern.action_id,
            "visit_id": concern.visit_id,
            "kiosk_id": concern.kiosk_id,
            "detail": msgspec.json.encode(concern.detail).decode(),
            "now_ms": now_ms,
        },
    )


def is_open(db: ReadTransaction, code: str, kiosk_id: str) -> bool:
    """Whether staff have such a case of this kiosk before them already."""
    row = db.row(
        "select 1 from exceptions where code = :code and kiosk_id = :kiosk_id and settled_ms is null",
        code=code,
        kiosk_id=kiosk_id,
    )
    return row is not None


def settle_case(db: WriteTransaction, exception_id: str, who: str, settlement: Mapping[str, Any], now_ms: int) -> None:
    """Closes a case: by whom, and how."""
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


def put_waiting(
    db: WriteTransaction, received: ReceivedAction, evidence: Evidence, code: Code, conflict: int, exception_id: str
) -> None:
    """Puts an action into the inbox, whole, so that it can be judged again: as a case of its own or, where it was made
    on top of another that waits, in the case of that one."""
    intent = received.intent
    visit_id = evidence.visit.visit_id if evidence.visit else intent.visit_id
    joined = _case_of_visit(db, intent.visit_id, visit_id) if code is Code.DEPENDS else None
    if joined is None:
        open_case(db, exception_id, _concern(received, evidence, code, conflict), received.received_ms)
    keep_waiting(db, received, visit_id, code, joined or exception_id)


def keep_waiting(db: WriteTransaction, received: ReceivedAction, visit_id: str, code: Code, exception_id: str) -> None:
    """Keeps an action whole, in a case, until that is settled. `visit_id` is the visit that it is of."""
    intent = received.intent
    db.execute(
        "insert into waiting values (:verdict_id, :exception_id, :kiosk_id, :seq, :visit_id, :code, :body, :sent,"
        " :received_ms)",
        {
            "verdict_id": intent.action_id,
            "exception_id": exception_id,
            "kiosk_id": received.kiosk_id,
            "seq": intent.seq,
            "visit_id": visit_id,
            "code": code.value,
            "body": canonical(intent).decode(),
            "sent": msgspec.json.encode(received.sent).decode(),
            "received_ms": received.received_ms,
        },
    )
    db.executemany(
        "insert into waiting_cards values (:key_id, :uid_hash, :verdict_id)",
        [
            {"key_id": card.key_id, "uid_hash": card.uid_hash, "verdict_id": intent.action_id}
            for card in dict.fromkeys(intent.cards)
        ],
    )


def tell_staff(
    db: WriteTransaction, received: ReceivedAction, evidence: Evidence, code: str, conflict: int, exception_id: str
) -> None:
    """Opens a case about an action that does not wait: its verdict stands, and staff are to know of it."""
    concern = _concern(received, evidence, code, conflict)
    if code == Code.ANSWERS_DIFFER:
        both = {"said": received.intent.payload, "said_before": dict(evidence.said)}
        concern = replace(concern, detail={**concern.detail, **both})
    open_case(db, exception_id, concern, received.received_ms)


def waiting_for_card(db: ReadTransaction, cards: Sequence[CardHash]) -> list[WaitingAction]:
    """The actions of every visit that waits because this card was unknown, in the order in which they came."""
    visits: dict[str, None] = {}
    for card in cards:
        rows = db.rows(
            "select w.visit_id from waiting_cards c join waiting w on w.verdict_id = c.verdict_id"
            " where c.key_id = :key_id and c.uid_hash = :uid_hash and w.code = :code",
            key_id=card.key_id,
            uid_hash=card.uid_hash,
            code=Code.UNKNOWN_CARD.value,
        )
        visits.update(dict.fromkeys(row["visit_id"] for row in rows))
    return _in_order(each for visit_id in visits for each in _waiting_of_visit(db, visit_id))


def waiting_in(db: ReadTransaction, exception_id: str) -> list[WaitingAction]:
    """The actions of a case, in the order in which they came."""
    rows = db.rows("select * from waiting where exception_id = :exception_id", exception_id=exception_id)
    return _in_order(_waiting(row) for row in rows)


def is_empty(db: ReadTransaction, exception_id: str) -> bool:
    """Whether nothing waits in a case any more."""
    row = db.row("select 1 from waiting where exception_id = :exception_id", exception_id=exception_id)
    return row is None


def take_waiting(db: WriteTransaction, verdict_id: str) -> None:
    """Takes an action out of the inbox; its case stays as it is."""
    db.execute("delete from waiting_cards where verdict_id = :verdict_id", {"verdict_id": verdict_id})
    db.execute("delete from waiting where verdict_id = :verdict_id", {"verdict_id": verdict_id})


def _in_order(found: Iterable[WaitingAction]) -> list[WaitingAction]:
    return sorted(found, key=lambda each: (each.received_ms, each.intent.epoch, each.seq))


def _waiting_of_visit(db: ReadTransaction, visit_id: str) -> list[WaitingAction]:
    rows = db.rows("select * from waiting where visit_id = :visit_id", visit_id=visit_id)
    return [_waiting(row) for row in rows]


def _waiting(row: sqlite3.Row) -> WaitingAction:
    return WaitingAction(
        row["verdict_id"],
        row["exception_id"],
        row["kiosk_id"],
        row["seq"],
        row["visit_id"],
        _intent.decode(row["body"]),
        _clock.decode(row["sent"]),
        row["received_ms"],
    )


def _case_of_visit(db: ReadTransaction, *visit_ids: str) -> str | None:
    """The case that the first waiting action of a visit is in."""
    names, values = any_of("visit", visit_ids)
    row = db.execute(
        f"select exception_id from waiting where visit_id in {names} order by received_ms, seq limit 1",  # noqa: S608
        values,
    ).fetchone()
    return str(row["exception_id"]) if row else None


def _concern(received: ReceivedAction, evidence: Evidence, code: str, conflict: int) -> NewCase:
    intent = received.intent
    return NewCase(
        code=code,
        kiosk_id=received.kiosk_id,
        detail=_detail(received, evidence, conflict),
        patient_id=evidence.subject or intent.patient_id,
        action_id=intent.action_id,
        visit_id=evidence.visit.visit_id if evidence.visit else intent.visit_id,
    )


def _detail(received: ReceivedAction, evidence: Evidence, conflict: int) -> dict[str, Any]:
    """What staff need beside the ids: what the kiosk showed, and what the centre knew."""
    intent, journey, happened = received.intent, evidence.journey, received.happened
    return {
        "action_type": intent.action_type,
        "happened_ms": happened.at_ms,
        "time_quality": happened.quality,
        "conflict": conflict,
        "shown": {
            "journey_state": intent.journey_state,
            "leg": intent.leg,
            "site_day": intent.site_day,
            "queue_number": intent.queue_number,
            "appointment_ids": intent.appointment_ids,
            "base_version": intent.base_version,
            "patient_id": intent.patient_id,
            "visit_id": intent.visit_id,
        },
        "known": {
            "patient_id": evidence.subject,
            "journey_state": journey.state,
            "leg": journey.leg,
            "visit_id": journey.visit_id,
            "journey_version": journey.journey_version,
        },
    }
