"""Kiosks that may hold actions about rows that a restore has lost: not all is sent, or their roster is of before it."""

from sync.central.store.transactions import ReadTransaction, WriteTransaction


def begin_catching_up(db: WriteTransaction, now_ms: int) -> None:
    """Notes all kiosks, revoked ones included: the centre was restored."""
    db.execute(
        "insert into catching_up select kiosk_id, :now_ms from kiosks where true on conflict (kiosk_id) do nothing",
        {"now_ms": now_ms},
    )


def note_catching_up(db: WriteTransaction, kiosk_id: str, now_ms: int) -> None:
    """Notes one kiosk: it was enrolled again, and has kept actions from before a restore."""
    db.execute(
        "insert into catching_up values (:kiosk_id, :now_ms) on conflict (kiosk_id) do nothing",
        {"kiosk_id": kiosk_id, "now_ms": now_ms},
    )


def is_catching_up(db: ReadTransaction, kiosk_id: str) -> bool:
    """Whether a kiosk may still hold such actions."""
    return db.row("select 1 from catching_up where kiosk_id = :kiosk_id", kiosk_id=kiosk_id) is not None


def end_catching_up(db: WriteTransaction, kiosk_id: str) -> None:
    """Forgets the kiosk: it has sent all that it kept, and has the whole roster."""
    db.execute("delete from catching_up where kiosk_id = :kiosk_id", {"kiosk_id": kiosk_id})
