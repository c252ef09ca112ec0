"""The last verification of the access log as a row: all services of the database tell it."""

import msgspec

from sync.central.store.transactions import ReadTransaction, WriteTransaction


class LogCheck(msgspec.Struct, frozen=True):
    """When the verification ended (UTC ms), up to which block, over how many rows, and how many faults it has found.

    `first_fault` is the first of them in words; empty without a fault.
    """

    ended_ms: int
    block: int
    rows_verified: int
    faults: int
    first_fault: str


def read_log_check(db: ReadTransaction) -> LogCheck | None:
    """The last verification; None before the first one."""
    row = db.row("select ended_ms, block, rows_verified, faults, first_fault from log_check")
    return LogCheck(*row) if row is not None else None


def write_log_check(db: WriteTransaction, check: LogCheck) -> None:
    """Stores a verification in the place of the one before it."""
    db.execute(
        "insert into log_check values (1, :ended_ms, :block, :rows_verified, :faults, :first_fault)"
        " on conflict (id) do update set ended_ms = excluded.ended_ms, block = excluded.block,"
        " rows_verified = excluded.rows_verified, faults = excluded.faults, first_fault = excluded.first_fault",
        msgspec.structs.asdict(check),
    )
