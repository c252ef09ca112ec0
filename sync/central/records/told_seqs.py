"""How far each kiosk's chain was when it pulled, as rows: a seq, with the first and the last pull that told it.

The first pull of a seq tells the hash of its action too. An action with another hash was not there at that pull.

An action happened after the last pull that told a smaller seq, and before the first one that told its own or a larger
one, on the centre's clock. Rows that no action to come needs are deleted, so a kiosk has one row while nothing waits.
"""

from bisect import bisect_left
from collections.abc import Collection
from dataclasses import dataclass
from itertools import accumulate

import msgspec

from sync.central.records.chains import Chain
from sync.central.store.connection import Row
from sync.central.store.set_transaction import SetTransaction
from sync.central.store.transactions import UNREAD, Question, ReadTransaction, WriteTransaction
from sync.protocol import NO_HASH

MOST = 256  # rows of an epoch of a kiosk
ON_ITS_WAY_MS = 60_000  # a pull may come so much later than it was sent


class Window(msgspec.Struct, frozen=True):
    """The time in which an action happened (UTC ms); None where an end is unknown."""

    earliest_ms: int | None = None
    latest_ms: int | None = None


ANY_TIME = Window()


@dataclass(frozen=True, slots=True)
class ToldEnd:
    """The end of a chain, as a pull tells it: its epoch, its last seq, and the hash of that action.

    The hash is `NO_HASH` where the pull tells none.
    """

    epoch: int
    seq: int
    hash: str = NO_HASH


def noted_at(db: ReadTransaction, kiosk_id: str, told: ToldEnd) -> int | None:
    """The last pull (UTC ms) that has told this seq, as it is recorded; None for none."""
    row = db.row(
        "select last_ms from told_seqs where kiosk_id = :kiosk_id and epoch = :epoch and seq = :seq",
        kiosk_id=kiosk_id,
        epoch=told.epoch,
        seq=told.seq,
    )
    return int(row["last_ms"]) if row else None


def note_told(db: WriteTransaction, kiosk_id: str, told: ToldEnd, now_ms: int) -> None:
    """Records what a pull has told.

    A smaller seq than before counts too: a kiosk could tell a large one once, and date all actions up to it as it
    likes. Such a call may be a late one, and was on its way for no longer than every pull may be.
    """
    _write(db, kiosk_id, told, now_ms)
    # The largest seqs go first: without them the windows of later actions are wider, and no smaller seq is lost.
    db.execute(
        "delete from told_seqs where kiosk_id = :kiosk_id and epoch = :epoch and seq > (select seq from told_seqs"
        " where kiosk_id = :kiosk_id and epoch = :epoch order by seq limit 1 offset :before)",
        {"kiosk_id": kiosk_id, "epoch": told.epoch, "before": MOST - 1},
    )


def told_hashes(db: ReadTransaction, chain: Chain) -> dict[int, str]:
    """The hashes that pulls have told of the actions after the end of a chain, by seq, in its order."""
    rows = db.rows(
        "select seq, hash from told_seqs where kiosk_id = :kiosk_id and epoch = :epoch and seq > :last_seq"
        " and hash <> '' order by seq",
        kiosk_id=chain.kiosk_id,
        epoch=chain.epoch,
        last_seq=chain.last_seq,
    )
    return {row["seq"]: row["hash"] for row in rows}


def take_back(db: WriteTransaction, chain: Chain, seq: int) -> None:
    """Lets all that a kiosk has told count as told of `seq`: the actions after it were not there at any pull."""
    last_ms = db.value(
        "select max(last_ms) from told_seqs where kiosk_id = :kiosk_id and epoch = :epoch",
        kiosk_id=chain.kiosk_id,
        epoch=chain.epoch,
    )
    db.execute(
        "delete from told_seqs where kiosk_id = :kiosk_id and epoch = :epoch and seq > :seq",
        {"kiosk_id": chain.kiosk_id, "epoch": chain.epoch, "seq": seq},
    )
    _write(db, chain.kiosk_id, ToldEnd(chain.epoch, seq), last_ms)


def read_window(db: ReadTransaction, chain: Chain, seq: int) -> Window:
    """When the action of a seq happened, by what the kiosk has told."""
    known = db.known(_WINDOW, (chain.kiosk_id, chain.epoch, seq))
    if known is not UNREAD:
        return known
    row = db.row(
        "select (select max(last_ms) from told_seqs where kiosk_id = :kiosk_id and epoch = :epoch and seq < :seq)"
        " as before_ms,"
        " (select min(first_ms) from told_seqs where kiosk_id = :kiosk_id and epoch = :epoch and seq >= :seq)"
        " as after_ms",
        kiosk_id=chain.kiosk_id,
        epoch=chain.epoch,
        seq=seq,
    )
    assert row is not None
    return _window(row["before_ms"], row["after_ms"])


def read_windows_ahead(db: SetTransaction, chain: Chain, seqs: Collection[int]) -> None:
    """Reads when the actions of these seqs happened."""
    told = db.rows(
        "select seq, first_ms, last_ms from told_seqs where kiosk_id = :kiosk_id and epoch = :epoch order by seq",
        kiosk_id=chain.kiosk_id,
        epoch=chain.epoch,
    )
    places = [row["seq"] for row in told]
    last_up_to = [None, *accumulate((row["last_ms"] for row in told), max)]
    first_from = [*[*accumulate((row["first_ms"] for row in reversed(told)), min)][::-1], None]
    windows = {}
    for seq in seqs:
        place = bisect_left(places, seq)
        windows[(chain.kiosk_id, chain.epoch, seq)] = _window(last_up_to[place], first_from[place])
    db.read_ahead(_WINDOW, windows)


def forget_judged(db: WriteTransaction, chain: Chain) -> None:
    """Deletes the rows that only judged actions needed. `chain` is the chain after these."""
    row = _told_up_to(db, chain)
    if row is None:
        return
    told = {"kiosk_id": chain.kiosk_id, "epoch": chain.epoch, "seq": row["seq"]}
    db.execute("delete from told_seqs where kiosk_id = :kiosk_id and epoch = :epoch and seq < :seq", told)
    db.execute(
        "update told_seqs set last_ms = :last_ms where kiosk_id = :kiosk_id and epoch = :epoch and seq = :seq",
        {**told, "last_ms": row["last_ms"]},
    )


def carry_over(db: WriteTransaction, ended: Chain, epoch: int) -> None:
    """Begins an epoch after the chain that has ended. What waits was done after the last pull that told none of it."""
    row = _told_up_to(db, ended)
    db.execute("delete from told_seqs where kiosk_id = :kiosk_id", {"kiosk_id": ended.kiosk_id})
    if row is not None:
        _write(db, ended.kiosk_id, ToldEnd(epoch, 0), row["last_ms"])


def _window(before_ms: int | None, after_ms: int | None) -> Window:
    return Window(None if before_ms is None else before_ms - ON_ITS_WAY_MS, after_ms)


def _told_up_to(db: ReadTransaction, chain: Chain) -> Row | None:
    """The largest seq that was told up to the end of a chain, and the last pull that told it or a smaller one."""
    row = db.row(
        "select max(seq) as seq, max(last_ms) as last_ms from told_seqs"
        " where kiosk_id = :kiosk_id and epoch = :epoch and seq <= :last_seq",
        kiosk_id=chain.kiosk_id,
        epoch=chain.epoch,
        last_seq=chain.last_seq,
    )
    return row if row is not None and row["seq"] is not None else None


def _write(db: WriteTransaction, kiosk_id: str, told: ToldEnd, now_ms: int) -> None:
    # The hash of the first pull stays: a kiosk cannot say later what it had at that moment.
    db.execute(
        "insert into told_seqs values (:kiosk_id, :epoch, :seq, :now_ms, :now_ms, :hash)"
        " on conflict (kiosk_id, epoch, seq) do update set last_ms = excluded.last_ms",
        {"kiosk_id": kiosk_id, "epoch": told.epoch, "seq": told.seq, "now_ms": now_ms, "hash": told.hash},
    )


_WINDOW: Question[tuple[str, int, int], Window] = Question()  # by kiosk, epoch and seq
