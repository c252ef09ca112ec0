"""Blocked cards: the keyed hashes of a card that opens nobody, with a beginning and an end. Kiosks pull them."""

from collections.abc import Iterable
from dataclasses import dataclass

from sync.cards import CardHash
from sync.central.store.transactions import ReadTransaction, WriteTransaction


@dataclass(frozen=True, slots=True)
class CardBlock:
    """A block as kiosks pull it: the hashes of the card, whether the block is in force, and the change number."""

    cards: tuple[CardHash, ...]
    in_force: bool
    change: int


def block_of_card(db: ReadTransaction, cards: Iterable[CardHash]) -> str | None:
    """The id of the block in force of a card, given as its hash under each key; None for a card without one."""
    for card in cards:
        row = db.row(
            "select b.block_id from blocked_hashes h join card_blocks b on b.block_id = h.block_id"
            " where h.key_id = :key_id and h.uid_hash = :uid_hash and b.end_ms is null",
            key_id=card.key_id,
            uid_hash=card.uid_hash,
        )
        if row is not None:
            return str(row["block_id"])
    return None


def begin_block(
    db: WriteTransaction, block_id: str, cards: Iterable[CardHash], who: str, reason: str, now_ms: int
) -> None:
    """Blocks a card, and announces it to the kiosks. The caller has ended the card's binding."""
    change = db.next_change()
    db.execute(
        "insert into card_blocks values (:block_id, :now_ms, :who, :reason, null, null, null, :change)",
        {"block_id": block_id, "now_ms": now_ms, "who": who, "reason": reason, "change": change},
    )
    db.executemany(
        "insert into blocked_hashes values (:key_id, :uid_hash, :block_id)",
        [{"key_id": card.key_id, "uid_hash": card.uid_hash, "block_id": block_id} for card in dict.fromkeys(cards)],
    )
    db.announce_block(change)


def end_block(db: WriteTransaction, block_id: str, who: str, reason: str, now_ms: int) -> None:
    """Ends a block, and announces it to the kiosks."""
    change = db.next_change()
    db.execute(
        "update card_blocks set end_ms = :now_ms, unblocked_by = :who, end_reason = :reason, change = :change"
        " where block_id = :block_id and end_ms is null",
        {"now_ms": now_ms, "who": who, "reason": reason, "change": change, "block_id": block_id},
    )
    db.announce_block(change)


def blocks_in_force(db: ReadTransaction, limit: int) -> list[CardBlock]:
    """The first blocks in force in the order of their changes: those of a snapshot."""
    return _read_blocks(db, "end_ms is null", 0, limit)


def changed_blocks(db: ReadTransaction, after: int, limit: int) -> list[CardBlock]:
    """The first blocks with a change number above `after`, in its order. Ended blocks are among them."""
    return _read_blocks(db, "change > :after", after, limit)


def renumber_blocks(db: WriteTransaction) -> None:
    """Gives each block in force a new change number, for the snapshot of a new day. Announces nothing."""
    for row in db.rows("select block_id from card_blocks where end_ms is null order by change"):
        db.execute(
            "update card_blocks set change = :change where block_id = :block_id",
            {"change": db.next_change(), "block_id": row["block_id"]},
        )


def _read_blocks(db: ReadTransaction, condition: str, after: int, limit: int) -> list[CardBlock]:
    rows = db.rows(
        f"select block_id, end_ms, change from card_blocks where {condition} order by change limit :limit",  # noqa: S608
        after=after,
        limit=limit,
    )
    return [CardBlock(_hashes(db, row["block_id"]), row["end_ms"] is None, row["change"]) for row in rows]


def _hashes(db: ReadTransaction, block_id: str) -> tuple[CardHash, ...]:
    rows = db.rows(
        "select key_id, uid_hash from blocked_hashes where block_id = :block_id order by key_id, uid_hash",
        block_id=block_id,
    )
    return tuple(CardHash(row["key_id"], row["uid_hash"]) for row in rows)
