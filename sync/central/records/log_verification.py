"""The verification of the chain of the access log, a portion at a time: which block and which row is wrong, and how."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from sync.central.records.log_blocks import blocks_after, read_anchor
from sync.central.records.log_digests import BEGINNING, COLUMNS, Block, LogKey, anchored, read_leaves, row_digest
from sync.central.store.transactions import ReadTransaction

_BLOCKS = 100  # that are read at a time
_ROWS = 5000  # of a portion, and those of one block more
_STRAY = 1000  # rows of no block that are read
_LAST = (1 << 63) - 1
_NO_TEXT = "Could not decode to UTF-8"  # SQLite's driver says so
_ALL = ", ".join(COLUMNS)


class FaultKind(StrEnum):
    """What can be wrong with the chain."""

    ROW_CHANGED = "row_changed"
    ROW_REMOVED = "row_removed"
    ROW_ADDED = "row_added"
    BLOCK_CHANGED = "block_changed"  # its own columns do not give its digest
    BLOCK_MISSING = "block_missing"
    CHAIN_BROKEN = "chain_broken"  # it does not follow the block before it
    ROWS_UNREADABLE = "rows_unreadable"  # the database holds no text there
    SEAL_WRONG = "seal_wrong"  # its digest was made without the key
    SEAL_UNKNOWN = "seal_unknown"  # the first one of a key that is not here
    ANCHOR_WRONG = "anchor_wrong"  # the blocks before the first one were deleted without the key
    HEAD_OTHER = "head_other"  # not the block that was noted elsewhere
    HEAD_MISSING = "head_missing"  # the chain ends before the block that was noted elsewhere


class Fault(msgspec.Struct, frozen=True):
    """One thing that is wrong: with which block, and with which of its rows. None: with the block itself.

    `key_id` is the key that is not here.
    """

    kind: FaultKind
    block: int
    row: str | None = None
    key_id: str | None = None


class Heads(msgspec.Struct, frozen=True):
    """The digests of blocks that were noted elsewhere, by the number of the block in decimal."""

    digests: dict[str, str] = {}


class ChainPlace(msgspec.Struct, frozen=True):
    """How far a verification has come: the last block, its digest, and the numbers of blocks and rows until there.

    `unknown_keys` are the keys of seals that are not here. `first` is the first block; 0 before it.
    """

    block: int
    digest: str
    first: int = 0
    blocks: int = 0
    rows: int = 0
    unknown_keys: tuple[str, ...] = ()


class VerifiedPart(msgspec.Struct, frozen=True):
    """What a portion has found, and where the next one begins. `ended`: the chain has no further block."""

    place: ChainPlace
    faults: tuple[Fault, ...]
    ended: bool


BEGIN = ChainPlace(0, BEGINNING)


def verify_portion(db: ReadTransaction, keys: Mapping[str, LogKey], place: ChainPlace, heads: Heads) -> VerifiedPart:
    """Verifies the next blocks after a place, the first of all after `BEGIN`."""
    place, faults = _from_anchor(db, keys, place)
    blocks = _next_blocks(db, place.block)
    until = blocks[-1].block if blocks else _LAST
    # The first portion finds the rows too that name a block that was deleted.
    since = place.block if place.blocks else -_LAST
    rows = _readable_rows(db, since, until, blocks)
    began = place.block
    for block in blocks:
        faults += _faults_of(block, place, rows.pop(block.block, []), keys, heads)
        place = _after(place, block, keys)
    faults += _faults_of_no_block(rows, began, faults)
    if not blocks:
        faults += _faults_of_end(place, heads)
    return VerifiedPart(place, tuple(sorted(faults, key=lambda fault: fault.block)), ended=not blocks)


def _from_anchor(db: ReadTransaction, keys: Mapping[str, LogKey], place: ChainPlace) -> tuple[ChainPlace, list[Fault]]:
    """The place after the last block that was deleted, where the verification has not come further yet."""
    anchor = read_anchor(db)
    if anchor is None or anchor.block <= place.block:
        return place, []
    faults, unknown = [], place.unknown_keys
    if anchor.key_id not in keys:
        faults = [Fault(FaultKind.SEAL_UNKNOWN, anchor.block, key_id=anchor.key_id)]
        unknown = (*unknown, anchor.key_id)
    elif not keys[anchor.key_id].has_sealed(anchored(anchor.block, anchor.digest), anchor.seal):
        faults = [Fault(FaultKind.ANCHOR_WRONG, anchor.block)]
    return msgspec.structs.replace(place, block=anchor.block, digest=anchor.digest, unknown_keys=unknown), faults


def _next_blocks(db: ReadTransaction, after: int) -> list[Block]:
    """The next blocks, until they hold enough rows."""
    found, rows = [], 0
    for block in blocks_after(db, after, _BLOCKS):
        found.append(block)
        rows += max(block.rows_sealed, block.leaves.count("\n"))
        if rows >= _ROWS:
            break
    return found


def _readable_rows(
    db: ReadTransaction, after: int, until: int, blocks: Sequence[Block]
) -> dict[int, list[Sequence[Any]] | None]:
    """As `_rows_by_block`. None for a block of which a row holds bytes that are no text."""
    try:
        return dict(_rows_by_block(db, after, until, None if blocks else _STRAY))
    except sqlite3.OperationalError as error:
        if not str(error).startswith(_NO_TEXT):
            raise
        return {number: _rows_of(db, number) for number in {block.block for block in blocks}}


def _rows_of(db: ReadTransaction, number: int) -> list[Sequence[Any]] | None:
    try:
        return _rows_by_block(db, number - 1, number, None).get(number, [])
    except sqlite3.OperationalError as error:
        if not str(error).startswith(_NO_TEXT):
            raise
        return None


def _rows_by_block(db: ReadTransaction, after: int, until: int, limit: int | None) -> dict[int, list[Sequence[Any]]]:
    """The rows that name a block after one number, and up to another."""
    found: dict[int, list[Sequence[Any]]] = {}
    limited = "" if limit is None else f" order by block limit {limit}"
    sql = f"select {_ALL}, block from audit where block > :after and block <= :until{limited}"  # noqa: S608
    for row in db.rows_at_once(sql, len(COLUMNS) + 1, {"after": after, "until": until}):
        found.setdefault(row[-1], []).append(row[:-1])
    return found


def _faults_of(
    block: Block, place: ChainPlace, rows: Sequence[Sequence[Any]] | None, keys: Mapping[str, LogKey], heads: Heads
) -> Iterator[Fault]:
    number = block.block
    if number != place.block + 1:
        yield from (Fault(FaultKind.BLOCK_MISSING, each) for each in _gap(place.block, number))
    elif block.previous != place.digest:
        yield Fault(FaultKind.CHAIN_BROKEN, number)
    if block.own_digest() != block.digest:
        yield Fault(FaultKind.BLOCK_CHANGED, number)
    if block.key_id in keys:
        if not keys[block.key_id].has_sealed(block.digest, block.seal):
            yield Fault(FaultKind.SEAL_WRONG, number)
    elif block.key_id not in place.unknown_keys:
        yield Fault(FaultKind.SEAL_UNKNOWN, number, key_id=block.key_id)
    if heads.digests.get(str(number), block.digest) != block.digest:
        yield Fault(FaultKind.HEAD_OTHER, number)
    if rows is None:
        yield Fault(FaultKind.ROWS_UNREADABLE, number)
    else:
        yield from _faults_of_rows(number, read_leaves(block.leaves), rows)


def _gap(before: int, number: int) -> Sequence[int]:
    """The first and the last number of the blocks that are missing between two."""
    missing = range(before + 1, number)
    return sorted({missing[0], missing[-1]}) if missing else []


def _faults_of_rows(number: int, leaves: dict[str, str], rows: Sequence[Sequence[Any]]) -> Iterator[Fault]:
    for row in rows:
        sealed = leaves.pop(row[0], None)
        if sealed is None:
            yield Fault(FaultKind.ROW_ADDED, number, row[0])
        elif sealed != row_digest(row):
            yield Fault(FaultKind.ROW_CHANGED, number, row[0])
    yield from (Fault(FaultKind.ROW_REMOVED, number, audit_id) for audit_id in leaves)


def _faults_of_no_block(
    rows: Mapping[int, list[Sequence[Any]] | None], began: int, known: Sequence[Fault]
) -> Iterator[Fault]:
    """The faults of rows that name a block which is not there."""
    for number, of_block in rows.items():
        missing = Fault(FaultKind.BLOCK_MISSING, number)
        if number <= began:
            yield from (Fault(FaultKind.ROW_ADDED, number, row[0]) for row in of_block or ())
        elif missing not in known:
            yield missing


def _faults_of_end(place: ChainPlace, heads: Heads) -> Iterator[Fault]:
    """The faults of blocks that were noted elsewhere, and that the chain has not come to."""
    for number, digest in heads.digests.items():
        if int(number) > place.block:
            yield Fault(FaultKind.HEAD_MISSING, int(number))
        elif place.blocks == 0 and int(number) == place.block and digest != place.digest:
            yield Fault(FaultKind.HEAD_OTHER, int(number))


def _after(place: ChainPlace, block: Block, keys: Mapping[str, LogKey]) -> ChainPlace:
    is_known = block.key_id in keys or block.key_id in place.unknown_keys
    return ChainPlace(
        block.block,
        block.digest,
        place.first or block.block,
        place.blocks + 1,
        place.rows + block.rows_sealed,
        place.unknown_keys if is_known else (*place.unknown_keys, block.key_id),
    )
