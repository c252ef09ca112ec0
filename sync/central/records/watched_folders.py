"""Which process works on a watched folder, as rows: hosts that share a folder work on it one at a time."""

from sync.central.store.transactions import WriteTransaction

TURN_MS = 60_000


def take_turn(db: WriteTransaction, folder_id: str, holder: str, now_ms: int) -> bool:
    """Gives a process the folder for a minute, where no other one has it. Returns whether it has it."""
    taken = db.execute(
        "insert into watched_folders values (:folder_id, :holder, :until_ms) on conflict (folder_id) do update"
        " set holder = excluded.holder, until_ms = excluded.until_ms where watched_folders.holder = excluded.holder"
        " or watched_folders.until_ms <= :now_ms or watched_folders.until_ms > :now_ms + :turn_ms",
        {
            "folder_id": folder_id,
            "holder": holder,
            "until_ms": now_ms + TURN_MS,
            "now_ms": now_ms,
            "turn_ms": TURN_MS,
        },
    )
    return bool(taken.rowcount == 1)


def end_turn(db: WriteTransaction, folder_id: str, holder: str) -> None:
    """Gives the folder back."""
    db.execute(
        "delete from watched_folders where folder_id = :folder_id and holder = :holder",
        {"folder_id": folder_id, "holder": holder},
    )
