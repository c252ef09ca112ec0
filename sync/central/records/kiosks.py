"""The kiosks of the site as rows: each with the id, the ticket prefix and the grants that the centre gave it."""

import sqlite3
from dataclasses import dataclass

import msgspec

from sync.central.kiosks.links import Chain, write_chain
from sync.central.records.tokens import revoke
from sync.central.store.sqlite import ReadTransaction, WriteTransaction
from sync.journey.model import KioskId


@dataclass(frozen=True, slots=True)
class Kiosk:
    """One enrolled kiosk. `grants` are kinds of kiosk and actions: `Definitions.granted()` says what they come to."""

    kiosk_id: KioskId
    name: str
    ticket_prefix: str
    grants: tuple[str, ...]
    epoch: int
    enrolled_ms: int
    seen_ms: int | None
    revoked_ms: int | None


def read_kiosk(db: ReadTransaction, kiosk_id: str) -> Kiosk | None:
    """One kiosk, or None."""
    row = db.row("select * from kiosks where kiosk_id = :kiosk_id", kiosk_id=kiosk_id)
    return _kiosk(row) if row else None


def kiosks(db: ReadTransaction) -> list[Kiosk]:
    """Every kiosk that was ever enrolled, in the order of enrolment."""
    return [_kiosk(row) for row in db.rows("select * from kiosks order by enrolled_ms, kiosk_id")]


def add_kiosk(db: WriteTransaction, read_kiosk: Kiosk) -> None:
    """Adds a kiosk with the chain of its first epoch."""
    db.execute(
        "insert into kiosks values (:kiosk_id, :name, :prefix, :grants, :epoch, :enrolled_ms, null, null)",
        {
            "kiosk_id": read_kiosk.kiosk_id,
            "name": read_kiosk.name,
            "prefix": read_kiosk.ticket_prefix,
            "grants": msgspec.json.encode(read_kiosk.grants).decode(),
            "epoch": read_kiosk.epoch,
            "enrolled_ms": read_kiosk.enrolled_ms,
        },
    )
    write_chain(db, Chain(read_kiosk.kiosk_id, read_kiosk.epoch))


def revoke_kiosk(db: WriteTransaction, kiosk_id: str, now_ms: int) -> bool:
    """Ends a kiosk for good, and its tokens; False where there is none, or it was over before."""
    ended = db.execute(
        "update kiosks set revoked_ms = :now_ms where kiosk_id = :kiosk_id and revoked_ms is null",
        {"now_ms": now_ms, "kiosk_id": kiosk_id},
    )
    for row in db.rows("select token_hash from tokens where kiosk_id = :kiosk_id", kiosk_id=kiosk_id):
        revoke(db, row["token_hash"], now_ms)
    return ended.rowcount == 1


def note_contact(db: WriteTransaction, kiosk_id: str, now_ms: int) -> None:
    """Notes that a kiosk was heard of."""
    db.execute("update kiosks set seen_ms = :now_ms where kiosk_id = :id", {"now_ms": now_ms, "id": kiosk_id})


def set_epoch(db: WriteTransaction, kiosk_id: str, epoch: int) -> None:
    """Begins an epoch of a kiosk, with a chain of its own."""
    db.execute("update kiosks set epoch = :epoch where kiosk_id = :id", {"epoch": epoch, "id": kiosk_id})
    write_chain(db, Chain(kiosk_id, epoch))


def _kiosk(row: sqlite3.Row) -> Kiosk:
    return Kiosk(
        row["kiosk_id"],
        row["name"],
        row["ticket_prefix"],
        msgspec.json.decode(row["grants"], type=tuple[str, ...]),
        row["epoch"],
        row["enrolled_ms"],
        row["seen_ms"],
        row["revoked_ms"],
    )
