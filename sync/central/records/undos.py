"""What was taken back of kiosks, as rows: an action of that time that comes later waits for staff."""

from sync.central.records.effects import Period
from sync.central.store.set_transaction import SetTransaction
from sync.central.store.transactions import UNREAD, Question, ReadTransaction, WriteTransaction


def note_undo(db: WriteTransaction, period: Period, reason: str, who: str, now_ms: int) -> None:
    """Records that the acts of a period are taken back. The same beginning once more makes the period longer, never
    shorter.
    """
    db.execute(
        "insert into undos values (:kiosk_id, :since_ms, :until_ms, :reason, :who, :now_ms)"
        " on conflict (kiosk_id, since_ms) do update set until_ms = case"
        " when undos.until_ms is null or excluded.until_ms is null then null"
        " when undos.until_ms > excluded.until_ms then undos.until_ms else excluded.until_ms end",
        {
            "kiosk_id": period.kiosk_id,
            "since_ms": period.since_ms,
            "until_ms": period.until_ms,
            "reason": reason,
            "who": who,
            "now_ms": now_ms,
        },
    )


def is_taken_back(db: ReadTransaction, kiosk_id: str, happened_ms: int) -> bool:
    """Whether the acts of a kiosk at a moment were taken back."""
    known = db.known(_PERIODS, kiosk_id)
    if known is not UNREAD:
        return any(since <= happened_ms and (until is None or until >= happened_ms) for since, until in known)
    row = db.row(
        "select 1 from undos where kiosk_id = :kiosk_id and since_ms <= :at_ms"
        " and (until_ms is null or until_ms >= :at_ms)",
        kiosk_id=kiosk_id,
        at_ms=happened_ms,
    )
    return row is not None


def read_undos_ahead(db: SetTransaction, kiosk_id: str) -> None:
    """Reads the periods of which the acts of a kiosk were taken back."""
    rows = db.rows("select since_ms, until_ms from undos where kiosk_id = :kiosk_id", kiosk_id=kiosk_id)
    db.read_ahead(_PERIODS, {kiosk_id: tuple((row["since_ms"], row["until_ms"]) for row in rows)})


_PERIODS: Question[str, tuple[tuple[int, int | None], ...]] = Question()  # by kiosk
