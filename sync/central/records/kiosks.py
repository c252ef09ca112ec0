"""The kiosks of the site as rows, each with the id, the ticket prefix and the grants that the centre gave it."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from sync.central.records.chains import Chain, write_chain
from sync.central.records.kiosk_tokens import revoke_tokens
from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.journey.model import KioskId

# Two pulls of a kiosk that gets its answers are at most 40 s apart, and one a minute is recorded.
ANSWERED_EVERY_MS = 2 * 60_000


@dataclass(frozen=True, slots=True)
class Kiosk:
    """One kiosk. `grants` are kinds of kiosk and actions: `Definitions.granted()` resolves them.

    - `seen_ms`: its last contact.
    - `answered_ms`: the last pull that shows that the answer before it arrived.
    - `unanswered_ms`: the first contact without such a pull before it; None while answers arrive.
    - `renewal_asked_ms`: when an operator asked for a new token; None where none is asked for.
    """

    kiosk_id: KioskId
    name: str
    ticket_prefix: str
    grants: tuple[str, ...]
    epoch: int
    enrolled_ms: int
    seen_ms: int | None
    revoked_ms: int | None
    answered_ms: int | None = None
    unanswered_ms: int | None = None
    renewal_asked_ms: int | None = None


def read_kiosk(db: ReadTransaction, kiosk_id: str) -> Kiosk | None:
    """The kiosk of an id, or None."""
    row = db.row("select * from kiosks where kiosk_id = :kiosk_id", kiosk_id=kiosk_id)
    return kiosk_of_columns(*row) if row else None


def kiosks(db: ReadTransaction) -> list[Kiosk]:
    """All kiosks, revoked ones included, in the order of enrolment."""
    return [kiosk_of_columns(*row) for row in db.rows("select * from kiosks order by enrolled_ms, kiosk_id")]


def kiosk_names(db: ReadTransaction) -> dict[str, str]:
    """The names of all kiosks, by their ids."""
    return {row["kiosk_id"]: row["name"] for row in db.rows("select kiosk_id, name from kiosks")}


def is_prefix_of_kiosk(db: ReadTransaction, ticket_prefix: str) -> bool:
    """Whether a kiosk has this ticket prefix, or had it before it was revoked."""
    return db.row("select 1 from kiosks where ticket_prefix = :prefix", prefix=ticket_prefix) is not None


def is_prefix_in_use(db: ReadTransaction, ticket_prefix: str) -> bool:
    """Whether a kiosk that was not revoked has this ticket prefix."""
    return (
        db.row("select 1 from kiosks where ticket_prefix = :prefix and revoked_ms is null", prefix=ticket_prefix)
        is not None
    )


def prefixes_since(db: ReadTransaction, since_ms: int) -> set[str]:
    """The ticket prefixes of the kiosks that were not revoked, or were revoked after `since_ms`."""
    rows = db.rows(
        "select ticket_prefix from kiosks where revoked_ms is null or revoked_ms > :since_ms", since_ms=since_ms
    )
    return {row["ticket_prefix"] for row in rows}


def add_kiosk(db: WriteTransaction, kiosk: Kiosk) -> None:
    """Adds a kiosk, with the chain of its first epoch."""
    db.execute(
        "insert into kiosks values"
        " (:kiosk_id, :name, :prefix, :grants, :epoch, :enrolled_ms, null, null, null, null, null)",
        {
            "kiosk_id": kiosk.kiosk_id,
            "name": kiosk.name,
            "prefix": kiosk.ticket_prefix,
            "grants": msgspec.json.encode(kiosk.grants).decode(),
            "epoch": kiosk.epoch,
            "enrolled_ms": kiosk.enrolled_ms,
        },
    )
    write_chain(db, Chain(kiosk.kiosk_id, kiosk.epoch))


def revoke_kiosk(db: WriteTransaction, kiosk_id: str, now_ms: int) -> bool:
    """Revokes a kiosk and its tokens. False where there is no such kiosk, or it was revoked before."""
    ended = db.execute(
        "update kiosks set revoked_ms = :now_ms where kiosk_id = :kiosk_id and revoked_ms is null",
        {"now_ms": now_ms, "kiosk_id": kiosk_id},
    )
    revoke_tokens(db, kiosk_id, now_ms)
    return ended.rowcount == 1


def note_contact(db: WriteTransaction, kiosk_id: str, now_ms: int) -> None:
    """Records a contact that does not show that the kiosk gets the answers to its pulls."""
    db.execute(
        "update kiosks set seen_ms = :now_ms, unanswered_ms = case"
        " when coalesce(answered_ms, enrolled_ms) >= :recent_ms then null else coalesce(unanswered_ms, :now_ms) end"
        " where kiosk_id = :id",
        {"now_ms": now_ms, "recent_ms": now_ms - ANSWERED_EVERY_MS, "id": kiosk_id},
    )


def note_answered(db: WriteTransaction, kiosk_id: str, now_ms: int) -> None:
    """Records a pull that shows that the answer before it arrived."""
    db.execute(
        "update kiosks set seen_ms = :now_ms, answered_ms = :now_ms, unanswered_ms = null where kiosk_id = :id",
        {"now_ms": now_ms, "id": kiosk_id},
    )


def ask_for_renewal(db: WriteTransaction, kiosk_id: str, now_ms: int | None) -> bool:
    """Records that a new token is asked for; with None, that it is there. False for an unknown or revoked kiosk."""
    asked = db.execute(
        "update kiosks set renewal_asked_ms = :now_ms where kiosk_id = :id and revoked_ms is null",
        {"now_ms": now_ms, "id": kiosk_id},
    )
    return asked.rowcount == 1


def begin_epoch(db: WriteTransaction, kiosk_id: str, epoch: int) -> None:
    """Begins an epoch of a kiosk, with an empty chain."""
    db.execute("update kiosks set epoch = :epoch where kiosk_id = :id", {"epoch": epoch, "id": kiosk_id})
    write_chain(db, Chain(kiosk_id, epoch))


def kiosk_of_columns(kiosk_id: str, name: str, ticket_prefix: str, grants: str, *rest: Any) -> Kiosk:
    """A kiosk from the columns of its table, in their order."""
    return Kiosk(KioskId(kiosk_id), name, ticket_prefix, _grants(grants), *rest)


@lru_cache(maxsize=64)
def _grants(text: str) -> tuple[str, ...]:
    # Kiosks have few combinations of grants, and each call of a kiosk needs them.
    return msgspec.json.decode(text, type=tuple[str, ...])
