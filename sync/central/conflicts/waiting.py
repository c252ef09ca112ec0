"""Actions that wait for staff, stored completely in a case of the exception inbox, so that they can be judged again."""

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from sync.cards import CardHash
from sync.central.conflicts.evidence import Evidence, ReceivedAction
from sync.central.records.cases import NewCase, open_case
from sync.central.store.transactions import ReadTransaction, WriteTransaction, any_of
from sync.clock import ClockReading
from sync.protocol import Code, Intent, canonical

_intent = msgspec.json.Decoder(Intent)
_clock = msgspec.json.Decoder(ClockReading)


@dataclass(frozen=True, slots=True)
class WaitingAction:
    """An action that waits for staff. `sent` is the kiosk's clocks when it sent the action."""

    verdict_id: str
    exception_id: str
    kiosk_id: str
    seq: int
    visit_id: str
    intent: Intent
    sent: ClockReading
    received_ms: int


def hold_for_staff(
    db: WriteTransaction, received: ReceivedAction, evidence: Evidence, code: Code, conflict: int, exception_id: str
) -> None:
    """Stores an action that waits for staff, in a new case of the given id.

    An action made on top of another one that waits joins the case of that one instead.
    """
    intent = received.intent
    visit_id = evidence.visit.visit_id if evidence.visit else intent.visit_id
    joined = _case_of_visit(db, {intent.visit_id, visit_id}) if code is Code.DEPENDS else None
    if joined is None:
        open_case(db, exception_id, _case_about(received, evidence, code, conflict), received.received_ms)
    add_waiting(db, received, visit_id, code, joined or exception_id)


def add_waiting(db: WriteTransaction, received: ReceivedAction, visit_id: str, code: Code, exception_id: str) -> None:
    """Stores a complete action in a case. `visit_id` is the visit of the action, aliases resolved."""
    intent = received.intent
    db.execute(
        "insert into waiting values (:verdict_id, :exception_id, :kiosk_id, :seq, :visit_id, :code, :intent,"
        " :sent_clock, :received_ms)",
        {
            "verdict_id": intent.action_id,
            "exception_id": exception_id,
            "kiosk_id": received.kiosk_id,
            "seq": intent.seq,
            "visit_id": visit_id,
            "code": code.value,
            "intent": canonical(intent).decode(),
            "sent_clock": msgspec.json.encode(received.sent).decode(),
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


def report_to_staff(
    db: WriteTransaction, received: ReceivedAction, evidence: Evidence, code: str, conflict: int, exception_id: str
) -> None:
    """Opens a case about an action that does not wait: its verdict stands, and staff are informed."""
    new = _case_about(received, evidence, code, conflict)
    if code == Code.ANSWERS_DIFFER:
        answers = {"said": received.intent.payload, "said_before": dict(evidence.recorded_payload)}
        new = replace(new, detail={**new.detail, **answers})
    open_case(db, exception_id, new, received.received_ms)


def actions_waiting_in(db: ReadTransaction, visit_ids: Collection[str]) -> list[str]:
    """The ids of the actions that wait in any of these visits."""
    names, parameters = any_of("visit", visit_ids)
    rows = db.rows(f"select verdict_id from waiting where visit_id in {names}", **parameters)  # noqa: S608
    return [row["verdict_id"] for row in rows]


def waiting_for_card(db: ReadTransaction, cards: Sequence[CardHash]) -> list[WaitingAction]:
    """The actions of every visit that waits because this card was unknown, in the order of receipt."""
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


def waiting_of_case(db: ReadTransaction, exception_id: str) -> list[WaitingAction]:
    """The actions that wait in a case, in the order of receipt."""
    rows = db.rows("select * from waiting where exception_id = :exception_id", exception_id=exception_id)
    return _in_order(_waiting(row) for row in rows)


def has_waiting(db: ReadTransaction, exception_id: str) -> bool:
    """Whether any action waits in a case."""
    return db.row("select 1 from waiting where exception_id = :exception_id", exception_id=exception_id) is not None


def remove_waiting(db: WriteTransaction, verdict_id: str) -> None:
    """Removes an action from the inbox. Its case stays as it is."""
    db.execute("delete from waiting_cards where verdict_id = :verdict_id", {"verdict_id": verdict_id})
    db.execute("delete from waiting where verdict_id = :verdict_id", {"verdict_id": verdict_id})


def _in_order(actions: Iterable[WaitingAction]) -> list[WaitingAction]:
    return sorted(actions, key=lambda each: (each.received_ms, each.intent.epoch, each.seq))


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
        _intent.decode(row["intent"]),
        _clock.decode(row["sent_clock"]),
        row["received_ms"],
    )


def _case_of_visit(db: ReadTransaction, visit_ids: Collection[str]) -> str | None:
    """The case of the first action that waits in any of these visits."""
    names, parameters = any_of("visit", visit_ids)
    row = db.row(
        f"select exception_id from waiting where visit_id in {names} order by received_ms, seq limit 1",  # noqa: S608
        **parameters,
    )
    return str(row["exception_id"]) if row else None


def _case_about(received: ReceivedAction, evidence: Evidence, code: str, conflict: int) -> NewCase:
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
    """The details for staff besides the ids: what the kiosk showed, and what the centre knew."""
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
