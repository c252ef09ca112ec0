"""How many cards each kiosk has named by its actions, as rows: the moment up to which a reader could have read them."""

from sync.central.store.transactions import ReadTransaction, WriteTransaction, Writing


def named_until(db: ReadTransaction, kiosk_id: str) -> int | None:
    """That moment (UTC ms) of a kiosk; None where it has named none."""
    row = db.row("select until_ms from named_cards where kiosk_id = :kiosk_id", kiosk_id=kiosk_id)
    return int(row["until_ms"]) if row else None


def write_named_until(db: WriteTransaction, kiosk_id: str, until_ms: int) -> None:
    """Replaces that moment."""
    db.write(_PUT, {"kiosk_id": kiosk_id, "until_ms": until_ms})


_PUT = Writing(
    "insert into named_cards values (:kiosk_id, :until_ms) on conflict (kiosk_id) do update"
    " set until_ms = excluded.until_ms"
)
