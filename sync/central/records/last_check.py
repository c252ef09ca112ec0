"""The last health check that ran by itself, as a row: all services of the database tell it."""

import msgspec

from sync.central.store.transactions import ReadTransaction, WriteTransaction


class LastCheck(msgspec.Struct, frozen=True):
    """When the check ended (UTC ms), how long it took, and how many rows of each kind it found."""

    ended_ms: int
    took_ms: int
    found: dict[str, int]

    @property
    def ok(self) -> bool:
        """Whether it found nothing."""
        return not any(self.found.values())


def read_last_check(db: ReadTransaction) -> LastCheck | None:
    """The last check; None before the first one."""
    row = db.row("select ended_ms, took_ms, found from last_check")
    if row is None:
        return None
    found = msgspec.json.decode(row["found"], type=dict[str, int])
    return LastCheck(row["ended_ms"], row["took_ms"], found)


def write_last_check(db: WriteTransaction, check: LastCheck) -> None:
    """Stores a check in the place of the one before it."""
    db.execute(
        "insert into last_check values (1, :ended_ms, :took_ms, :found) on conflict (id) do update set"
        " ended_ms = excluded.ended_ms, took_ms = excluded.took_ms, found = excluded.found",
        {**msgspec.structs.asdict(check), "found": msgspec.json.encode(check.found).decode()},
    )
