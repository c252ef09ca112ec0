"""The chain of blocks that seals the rows of the access log, as rows.

A row is sealed by its transaction's commit: the next block takes every row that has none. So a row whose id is older
than a sealed one, because its transaction took longer, is in a later block, and in one block.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from sync.central.records.log_digests import BEGINNING, COLUMNS, Block, LogKey, anchored, make_block
from sync.central.store.transactions import ReadTransaction, WriteTransaction, each_of
from sync.clock import MINUTE_MS

MOST_ROWS = 500  # of a block
MOST_DELETED = 1000  # rows of a transaction, and those of one block more
_BLOCKS_DELETED = 50

_NAMES = ", ".join(COLUMNS)
# A row that counts is sealed after its time. One whose time lies far ahead is of a clock that was wrong.
_READY = "block is null and (counts_until_ms is null or counts_until_ms <= :now_ms or counts_until_ms > :wrong_from_ms)"
_LONGEST_COUNT_MS = 120 * MINUTE_MS
_BLOCK = msgspec.structs.fields(Block)


@dataclass(frozen=True, slots=True)
class Open:
    """Rows that wait for a block: how many of `MOST_ROWS` at most, and the time of the oldest (UTC ms)."""

    rows: int
    oldest_ms: int | None


@dataclass(frozen=True, slots=True)
class Anchor:
    """The last block that was deleted, its digest, and the seal of both."""

    block: int
    digest: str
    key_id: str
    seal: str


@dataclass(frozen=True, slots=True)
class Deleted:
    """What a deletion has taken: the rows, and the numbers of the first and the last block."""

    rows: int
    first: int
    last: int


def open_rows(db: ReadTransaction, now_ms: int) -> Open:
    """The rows that the next block can take."""
    row = db.row(
        f"select count(*) as number, min(at_ms) as oldest_ms from"  # noqa: S608
        f" (select at_ms from audit where {_READY} limit {MOST_ROWS}) as ready",
        **_at(now_ms),
    )
    assert row is not None
    return Open(row["number"], row["oldest_ms"])


def all_open_rows(db: ReadTransaction) -> int:
    """The number of all rows without a block, those that still count among them."""
    return int(db.value("select count(*) from audit where block is null"))


def seal_block(db: WriteTransaction, key: LogKey, now_ms: int) -> Block | None:
    """Seals the oldest rows without a block, and returns the block; None where there is no such row.

    It must be the only writer: no row may change between its reading and the commit.
    """
    rows = [
        tuple(row)
        for row in db.rows(
            f"select {_NAMES} from audit where {_READY} order by audit_id limit {MOST_ROWS}",  # noqa: S608
            **_at(now_ms),
        )
    ]
    if not rows:
        return None
    number, previous = end_of_chain(db)
    made = make_block(number + 1, previous, rows, now_ms, key)
    places = ", ".join(f":{field.name}" for field in _BLOCK)
    db.execute(f"insert into log_blocks values ({places})", msgspec.structs.asdict(made))  # noqa: S608
    ids, parameters = each_of("id", [row[0] for row in rows])
    db.execute(f"update audit set block = :block where audit_id in {ids}", {"block": made.block, **parameters})  # noqa: S608
    return made


def end_of_chain(db: ReadTransaction) -> tuple[int, str]:
    """The number and the digest of the last block, or of the last one that was deleted; 0 before the first one."""
    row = db.row("select block, digest from log_blocks order by block desc limit 1")
    if row is not None:
        return row["block"], row["digest"]
    anchor = read_anchor(db)
    return (anchor.block, anchor.digest) if anchor else (0, BEGINNING)


def last_block(db: ReadTransaction) -> Block | None:
    """The last block; None where there is none."""
    row = db.row("select * from log_blocks order by block desc limit 1")
    return Block(*row) if row is not None else None


def blocks_after(db: ReadTransaction, block: int, limit: int) -> list[Block]:
    """The blocks that follow a number, in their order."""
    rows = db.rows(
        "select * from log_blocks where block > :block order by block limit :limit", block=block, limit=limit
    )
    return [Block(*row) for row in rows]


def rows_of_blocks(db: ReadTransaction, after: int, until: int) -> dict[int, list[Sequence[Any]]]:
    """The values of `COLUMNS` of the rows of each block after a number and up to another, in the order of their ids."""
    found: dict[int, list[Sequence[Any]]] = {}
    for row in db.rows(
        f"select {_NAMES}, block from audit where block > :after and block <= :until order by block, audit_id",  # noqa: S608
        after=after,
        until=until,
    ):
        found.setdefault(row["block"], []).append(tuple(row)[:-1])
    return found


def count_sealed(db: ReadTransaction) -> int:
    """The number of rows that blocks say they have sealed."""
    return int(db.value("select coalesce(sum(rows_sealed), 0) from log_blocks"))


def read_anchor(db: ReadTransaction) -> Anchor | None:
    """Where the chain begins; None where no block was deleted."""
    row = db.row("select block, digest, key_id, seal from log_anchor")
    return Anchor(*row) if row is not None else None


def delete_oldest_blocks(db: WriteTransaction, key: LogKey, now_ms: int, until_ms: int) -> Deleted | None:
    """Deletes the oldest blocks with their rows, about a thousand rows, and leaves an anchor in their place.

    A block goes where it was sealed before `until_ms` and none of its rows is younger. A row of the future is of a
    wrong clock, and does not count. Returns None where no block is that old.
    """
    found: list[Block] = []
    for block in blocks_after(db, 0, _BLOCKS_DELETED):
        if sum(each.rows_sealed for each in found) >= MOST_DELETED or not _is_old(db, block, now_ms, until_ms):
            break
        found.append(block)
    if not found:
        return None
    last = found[-1]
    rows = db.execute("delete from audit where block <= :last", {"last": last.block}).rowcount
    db.execute("delete from log_blocks where block <= :last", {"last": last.block})
    _write_anchor(db, Anchor(last.block, last.digest, key.key_id, key.seal(anchored(last.block, last.digest))))
    return Deleted(rows, found[0].block, last.block)


def _is_old(db: ReadTransaction, block: Block, now_ms: int, until_ms: int) -> bool:
    if block.sealed_ms >= until_ms:
        return False
    young = "select 1 from audit where block = :block and at_ms >= :until_ms and at_ms <= :now_ms limit 1"
    return db.row(young, block=block.block, until_ms=until_ms, now_ms=now_ms) is None


def _write_anchor(db: WriteTransaction, anchor: Anchor) -> None:
    db.execute(
        "insert into log_anchor values (1, :block, :digest, :key_id, :seal) on conflict (id) do update set"
        " block = excluded.block, digest = excluded.digest, key_id = excluded.key_id, seal = excluded.seal",
        {"block": anchor.block, "digest": anchor.digest, "key_id": anchor.key_id, "seal": anchor.seal},
    )


def _at(now_ms: int) -> dict[str, int]:
    return {"now_ms": now_ms, "wrong_from_ms": now_ms + _LONGEST_COUNT_MS}
