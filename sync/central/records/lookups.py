"""The look-ups of kiosks as rows: when each kiosk asked for a card within the last minute."""

import msgspec

from sync.central.store.transactions import WriteTransaction

_times = msgspec.json.Decoder(tuple[int, ...])


def lookups_since(db: WriteTransaction, kiosk_id: str, since_ms: int) -> tuple[int, ...]:
    """The times (UTC ms) of a kiosk's look-ups after a moment, oldest first."""
    row = db.row("select times from lookups where kiosk_id = :kiosk_id", kiosk_id=kiosk_id)
    return tuple(at_ms for at_ms in _times.decode(row["times"]) if at_ms > since_ms) if row else ()


def write_lookups(db: WriteTransaction, kiosk_id: str, times: tuple[int, ...]) -> None:
    """Replaces the times of a kiosk's look-ups."""
    db.execute(
        "insert into lookups values (:kiosk_id, :times) on conflict (kiosk_id) do update set times = excluded.times",
        {"kiosk_id": kiosk_id, "times": msgspec.json.encode(times).decode()},
    )
