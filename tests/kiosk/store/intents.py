"""Invented intents and verdicts, and readers of a batch, for the tests of the outbox."""

from __future__ import annotations

import sqlite3

import msgspec

from kiosk.store import outbox
from sync.clock import ClockReading
from sync.protocol import (
    NO_HASH,
    Code,
    Intent,
    Pushed,
    Verdict,
    VerdictRow,
    chain_hash,
)
from tests.kiosk.samples import SITE_ID


def intent(
    seq: int, epoch: int = 1, patient: str = "P1", visit: str = "v1", payload: dict[str, object] | None = None
) -> Intent:
    return Intent(
        site_id=SITE_ID,
        kiosk_id="kiosk-1",
        epoch=epoch,
        seq=seq,
        action_id=f"a-{epoch}-{seq}",
        action_type="scan_nfc",
        patient_id=patient,
        visit_id=visit,
        leg=0,
        queue_id=f"q-{seq}",
        queue_number="",
        base_version=0,
        definitions_version=1,
        site_day="2026-03-02",
        clock=ClockReading(seq, seq, "boot", True),
        journey_state="UNREGISTERED",
        payload=payload or {},
    )


def fill(db: sqlite3.Connection, count: int, **changes: object) -> None:
    for _ in range(count):
        head = outbox.head(db)
        outbox.append(db, intent(head.next_seq, head.epoch, **changes), head)  # type: ignore[arg-type]


def verdict(seq: int, revision: int = 0, epoch: int = 1, word: Verdict = Verdict.APPLIED) -> VerdictRow:
    return VerdictRow(action_id=f"a-{epoch}-{seq}", seq=seq, verdict=word, code=Code.OK, revision=revision)


def seqs(batch: list[Pushed]) -> list[int]:
    return [msgspec.json.decode(pushed.body, type=Intent).seq for pushed in batch]


def check_chain(batch: list[Pushed], previous: str = NO_HASH) -> None:
    for pushed in batch:
        previous = chain_hash(previous, bytes(pushed.body))
        assert pushed.hash == previous
