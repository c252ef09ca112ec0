"""How far each kiosk's chain was when it pulled, as rows: a seq, with the first and the last pull that told it.

An action happened after the last pull that told a smaller seq, and before the first one that told its own or a larger
one, on the centre's clock. Rows that no action to come needs are deleted, so a kiosk has one row while nothing waits.
"""

from dataclasses import dataclass

from sync.central.records.chains import Chain
from sync.central.store.transactions import ReadTransaction, WriteTransaction

MOST = 256  # rows of a kiosk; more than that only widen no window
ON_ITS_WAY_MS = 60_000  # a pull may come so much later than it was sent


@dataclass(frozen=True, slots=True)
class Window:
    """The time in which an action happened (UTC ms); None where an end is unknown."""

    earliest_ms: int | None = None
    latest_ms: int | None = None


ANY_TIME = Window()


@dataclass(frozen=True, slots=True)
class ToldSeq:
    """The largest seq that a kiosk has told in its epoch, and the last pull that told it (UTC ms)."""

    seq: int
    last_ms: int


def last_told(db: ReadTransaction, kiosk_id: str, epoch: int) -> ToldSeq | None:
    """The largest seq that a kiosk has told in an epoch; None where it has told none."""
    row = db.row(
        "select seq, last_ms from told_seqs where kiosk_id = :kiosk_id and epoch = :epoch order by seq desc limit 1",
        kiosk_id=kiosk_id,
        epoch=epoch,
    )
    return ToldSeq(row["seq"], row["last_ms"]) if row else None


def note_told(db: WriteTransaction, kiosk_id: str, epoch: int, seq: int, now_ms: int) -> None:
    """Records that a pull has told a seq. A smaller one than before is a late call, and changes nothing."""
    before = last_told(db, kiosk_id, epoch)
    number = db.value("select count(*) from told_seqs where kiosk_id = :kiosk_id", kiosk_id=kiosk_id)
    if before is not None and (seq < before.seq or (seq > before.seq and number >= MOST)):
        return
    db.execute(
        "insert into told_seqs values (:kiosk_id, :epoch, :seq, :now_ms, :now_ms)"
        " on conflict (kiosk_id, epoch, seq) do update set last_ms = excluded.last_ms",
        {"kiosk_id": kiosk_id, "epoch": epoch, "seq": seq, "now_ms": now_ms},
    )


def read_window(db: ReadTransaction, chain: Chain, seq: int) -> Window:
    """When the action of a seq happened, by what the kiosk has told."""
    row = db.row(
        "select (select last_ms from told_seqs where kiosk_id = :kiosk_id and epoch = :epoch and seq < :seq"
        " order by seq desc limit 1) as before_ms,"
        " (select first_ms from told_seqs where kiosk_id = :kiosk_id and epoch = :epoch and seq >= :seq"
        " order by seq limit 1) as after_ms",
        kiosk_id=chain.kiosk_id,
        epoch=chain.epoch,
        seq=seq,
    )
    assert row is not None
    before_ms = row["before_ms"]
    return Window(None if before_ms is None else before_ms - ON_ITS_WAY_MS, row["after_ms"])


def forget_judged(db: WriteTransaction, chain: Chain) -> None:
    """Deletes the rows that only judged actions needed. `chain` is the chain after these."""
    db.execute(
        "delete from told_seqs where kiosk_id = :kiosk_id and epoch = :epoch and seq < (select max(t.seq)"
        " from told_seqs t where t.kiosk_id = :kiosk_id and t.epoch = :epoch and t.seq <= :last_seq)",
        {"kiosk_id": chain.kiosk_id, "epoch": chain.epoch, "last_seq": chain.last_seq},
    )


def carry_over(db: WriteTransaction, ended: Chain, epoch: int) -> None:
    """Begins an epoch after the chain that has ended. What waits was done after the last pull that told none of it."""
    row = db.row(
        "select first_ms, last_ms from told_seqs where kiosk_id = :kiosk_id and epoch = :epoch and seq <= :last_seq"
        " order by seq desc limit 1",
        kiosk_id=ended.kiosk_id,
        epoch=ended.epoch,
        last_seq=ended.last_seq,
    )
    db.execute("delete from told_seqs where kiosk_id = :kiosk_id", {"kiosk_id": ended.kiosk_id})
    if row is not None:
        db.execute(
            "insert into told_seqs values (:kiosk_id, :epoch, 0, :first_ms, :last_ms)",
            {"kiosk_id": ended.kiosk_id, "epoch": epoch, "first_ms": row["first_ms"], "last_ms": row["last_ms"]},
        )
