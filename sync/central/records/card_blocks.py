"""Blocked cards: the keyed hashes of a card that opens nobody, with a beginning and an end. Kiosks pull them."""

import itertools
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter

from sync.cards import CardHash
from sync.central.records.bindings import each_card
from sync.central.records.parts import Part
from sync.central.store.connection import Row
from sync.central.store.transactions import ReadTransaction, WriteTransaction


@dataclass(frozen=True, slots=True)
class CardBlock:
    """A block as kiosks pull it: the hashes of the card, whether the block is in force, and the change number."""

    cards: tuple[CardHash, ...]
    in_force: bool
    change: int


BLOCKS = Part("block", ("b.block_id",))


def block_of_card(db: ReadTransaction, cards: Iterable[CardHash]) -> str | None:
    """The id of the block in force of a card, given as the hashes under which it is stored; None without one."""
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


def blocked_among(db: ReadTransaction, cards: Collection[CardHash]) -> set[CardHash]:
    """Those of the cards that are blocked."""
    if not cards:
        return set()
    those, parameters = each_card(cards)
    rows = db.rows(
        "select h.key_id, h.uid_hash from blocked_hashes h join card_blocks b on b.block_id = h.block_id"  # noqa: S608
        f" where {those} and b.end_ms is null",
        **parameters,
    )
    return {CardHash(row["key_id"], row["uid_hash"]) for row in rows}


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


def blocks_in_force(db: ReadTransaction, until: int, limit: int) -> list[CardBlock]:
    """The first blocks in force with a change number up to `until`, in its order: those of a snapshot."""
    return _read_blocks(db, "end_ms is null", 0, until, limit)


def changed_blocks(db: ReadTransaction, after: int, until: int, limit: int) -> list[CardBlock]:
    """The first blocks with a change number above `after` and up to `until`, in its order. Ended blocks are among
    them."""
    return _read_blocks(db, "change > :after", after, until, limit)


def renumber_blocks(db: WriteTransaction) -> None:
    """Gives each block in force a new change number, for the snapshot of a new day. Announces nothing."""
    blocks = [
        row["block_id"] for row in db.rows("select block_id from card_blocks where end_ms is null order by change")
    ]
    db.executemany(
        "update card_blocks set change = :change where block_id = :block_id",
        [
            {"change": change, "block_id": each}
            for change, each in zip(db.next_changes(len(blocks)), blocks, strict=True)
        ],
    )


def _read_blocks(db: ReadTransaction, condition: str, after: int, until: int, limit: int) -> list[CardBlock]:
    rows = db.rows(
        "select b.block_id, b.end_ms, b.change, h.key_id, h.uid_hash from (select block_id, end_ms, change"  # noqa: S608
        f" from card_blocks where {condition} and change <= :until order by change limit :limit) b"
        " left join blocked_hashes h on h.block_id = b.block_id order by b.change, h.key_id, h.uid_hash",
        after=after,
        until=until,
        limit=limit,
    )
    blocks = (list(group) for _, group in itertools.groupby(rows, key=itemgetter("block_id")))
    return [CardBlock(_cards(hashes), hashes[0]["end_ms"] is None, hashes[0]["change"]) for hashes in blocks]


def _cards(hashes: Sequence[Row]) -> tuple[CardHash, ...]:
    return tuple(CardHash(row["key_id"], row["uid_hash"]) for row in hashes if row["key_id"] is not None)
