"""An access log with a chain, for tests: rows, blocks, and what a verification of it finds."""

from __future__ import annotations

from sync.central.maintenance.log_sealing import seal_log
from sync.central.maintenance.log_verifying import in_words, log_keys
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.log_blocks import blocks_after
from sync.central.records.log_digests import Block
from sync.central.records.log_verification import BEGIN, ChainPlace, Fault, Heads, verify_portion
from sync.central.store.transactions import ReadTransaction
from tests.sync.central.centre import Centre


def add_rows(centre: Centre, number: int, who: str = "staff:1", at_ms: int | None = None) -> None:
    """So many looks, in one transaction."""
    with centre.store.write() as db:
        for each in range(number):
            at = centre.clock() if at_ms is None else at_ms
            note(db, who, AuditKind.LOOK_STATE, at, patient_id=f"P{each % 20 + 1:02d}", detail={"from": "192.0.2.1"})


def add_block(centre: Centre, rows: int = 3) -> Block:
    """A block of so many rows more."""
    add_rows(centre, rows)
    assert seal_log(centre.parts, at_once=True) == 1
    return blocks(centre)[-1]


def blocks(centre: Centre) -> list[Block]:
    """All blocks."""
    with centre.store.read() as db:
        return blocks_after(db, 0, 1000)


def whole(db: ReadTransaction, centre: Centre, heads: dict[int, str] | None = None) -> tuple[ChainPlace, list[Fault]]:
    """A verification of the whole chain in a transaction: where it ended, and what it found."""
    keys, place, faults = log_keys(centre.parts), BEGIN, []
    noted = Heads({str(number): digest for number, digest in (heads or {}).items()})
    while True:
        portion = verify_portion(db, keys, place, noted)
        place, faults = portion.place, faults + list(portion.faults)
        if portion.ended:
            return place, faults


def found(centre: Centre, heads: dict[int, str] | None = None) -> list[str]:
    """What a verification finds, in words."""
    with centre.store.read() as db:
        return [in_words(fault) for fault in whole(db, centre, heads)[1]]
