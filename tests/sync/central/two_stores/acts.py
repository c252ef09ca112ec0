"""Actions and reads that these tests share."""

from __future__ import annotations

import sqlite3

import msgspec

from kiosk.store import outbox_bodies
from sync.central.conflicts.gather import judging_context
from sync.central.conflicts.rejudge import rejudge_card
from sync.central.kiosks.push import receive_batch
from sync.central.records.bindings import bind
from sync.central.records.journeys import mark_changed
from sync.ids import new_id
from sync.journey.model import VisitId
from sync.protocol import (
    NO_HASH,
    CallRefused,
    Code,
    Intent,
    PushAnswer,
    Pushed,
    PushRequest,
    Verdict,
    canonical,
    chain_hash,
)
from tests.sync.central.wire import BY_STAFF, DAY, Centre, Kiosk, cards_of


def verdicts(kiosk: Kiosk) -> list[tuple[str | None, ...]]:
    return [row[1:] for row in kiosk.statuses()]


def transitions(centre: Centre, patient_id: str) -> list[tuple[object, ...]]:
    rows = centre.rows(
        "select from_state, action, to_state, source from transitions where patient_id = :id order by change, position",
        id=patient_id,
    )
    return [tuple(row.values()) for row in rows]


def finish(centre: Centre, kiosk: Kiosk, patient_id: str) -> None:
    """Plays the rest of a visit, up to leaving the hospital."""
    for action in ("call_patient", "start_exam", "complete_exam", "make_payment", "make_payment"):
        assert centre.staff(action, patient_id).done
    kiosk.pull()
    kiosk.act(patient_id, "leave_hospital")
    kiosk.sync()
    assert kiosk.last() == (Verdict.APPLIED, Code.OK)


def give_card(centre: Centre, holder: str, patient_id: str) -> None:
    """Staff bind the card of one patient to another."""
    with centre.store.write() as db:
        bind(db, patient_id, cards_of(holder), new_id(), centre.time(), BY_STAFF)
        mark_changed(db, holder)
        mark_changed(db, patient_id)


def bind_card(centre: Centre, card: str, patient_id: str) -> None:
    """Staff bind a card. The actions that waited for it are judged in the same transaction."""
    with centre.store.write() as db:
        bind(db, patient_id, cards_of(card), new_id(), centre.time(), BY_STAFF)
        mark_changed(db, patient_id)
        rejudge_card(db, judging_context(db, centre.definitions, new_id, centre.time()), cards_of(card), "desk")


def rewrite_last(db: sqlite3.Connection, **changes: object) -> None:
    """Changes the last row of the outbox to a row of another kiosk, with a fitting hash."""
    row = db.execute("select * from outbox order by epoch, seq desc limit 1").fetchone()
    before = db.execute(
        "select hash from outbox where epoch = ? and seq = ?", (row["epoch"], row["seq"] - 1)
    ).fetchone()
    last_hash = before["hash"] if before else NO_HASH
    intent = msgspec.structs.replace(msgspec.json.decode(row["body"], type=Intent), **changes)
    body = canonical(intent)
    chained = chain_hash(last_hash, body)
    db.execute(
        "update outbox set body = ?, digest = ?, hash = ?, action_id = ? where epoch = ? and seq = ?",
        (body, outbox_bodies.digest(body), chained, intent.action_id, row["epoch"], row["seq"]),
    )
    db.execute("update identity set last_hash = ?", (chained,))


def intent_of(kiosk: Kiosk, **changes: object) -> Intent:
    identity = kiosk.journeys.identity
    assert identity is not None
    fields: dict[str, object] = {
        "kiosk_id": identity.kiosk_id,
        "epoch": identity.epoch,
        "seq": 1,
        "action_id": "01a20c3f-e65d-788c-94db-1025a23ae001",
        "action_type": "scan_nfc",
        "patient_id": "P1",
        "visit_id": VisitId("01a20c3f-e65d-788c-94db-1025a23ae002"),
        "leg": 0,
        "queue_id": "01a20c3f-e65d-788c-94db-1025a23ae003",
        "queue_number": "",
        "base_version": 0,
        "definitions_version": 1,
        "site_day": DAY,
        "clock": kiosk.clock(),
        "journey_state": "UNREGISTERED",
    }
    return Intent(**(fields | changes))  # type: ignore[arg-type]


def builtins(intent: Intent) -> dict[str, object]:
    found = msgspec.to_builtins(intent)
    assert isinstance(found, dict)
    return found


def chained(bodies: list[object], head: str = NO_HASH) -> list[Pushed]:
    pushed = []
    for body in bodies:
        text = canonical(body)
        head = chain_hash(head, text)
        pushed.append(Pushed(head, msgspec.Raw(text)))
    return pushed


def request_of(kiosk: Kiosk, actions: list[Pushed]) -> PushRequest:
    identity = kiosk.journeys.identity
    assert identity is not None
    return PushRequest(
        protocol_version=2, kiosk_id=identity.kiosk_id, epoch=identity.epoch, now=kiosk.clock(), actions=actions
    )


def push(centre: Centre, kiosk: Kiosk, actions: list[Pushed]) -> PushAnswer | CallRefused:
    identity = kiosk.journeys.identity
    assert identity is not None
    return receive_batch(centre.parts, identity.kiosk_id, request_of(kiosk, actions))
