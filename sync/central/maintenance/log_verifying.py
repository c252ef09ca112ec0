"""Verifies the whole chain of the access log, a portion at a time: once a day by itself, and when staff ask for it."""

import logging
from collections.abc import Callable, Mapping

from sync.central.centre import Centre
from sync.central.maintenance.log_keys import by_id, read_log_keys
from sync.central.records.log_check import LogCheck, read_log_check, write_log_check
from sync.central.records.log_digests import LogKey
from sync.central.records.log_verification import (
    BEGIN,
    ChainPlace,
    Fault,
    FaultKind,
    Heads,
    VerifiedPart,
    verify_portion,
)
from sync.clock import DAY_MS

log = logging.getLogger(__name__)

IN_WORDS: Mapping[FaultKind, str] = {
    FaultKind.ROW_CHANGED: "block {block}: the row {row} was changed",
    FaultKind.ROW_REMOVED: "block {block}: the row {row} was removed",
    FaultKind.ROW_ADDED: "block {block}: the row {row} was added",
    FaultKind.BLOCK_CHANGED: "block {block} was changed",
    FaultKind.BLOCK_MISSING: "block {block} is missing",
    FaultKind.CHAIN_BROKEN: "block {block} does not follow the block before it",
    FaultKind.ROWS_UNREADABLE: "block {block}: a row holds bytes that are no text",
    FaultKind.SEAL_UNKNOWN: "block {block} and others are sealed by the key {key_id}, which is not here",
    FaultKind.SEAL_WRONG: "block {block} was made without the key of the centre",
    FaultKind.ANCHOR_WRONG: "the blocks up to {block} were deleted without the key of the centre",
    FaultKind.HEAD_OTHER: "block {block} is not the one that was noted elsewhere",
    FaultKind.HEAD_MISSING: "the chain ends before block {block}, which was noted elsewhere",
}


def in_words(fault: Fault) -> str:
    """A fault in words."""
    return IN_WORDS[fault.kind].format(block=fault.block, row=fault.row, key_id=fault.key_id)


def log_keys(centre: Centre) -> Mapping[str, LogKey]:
    """The keys of this machine, by their ids. Raises OSError and ValueError."""
    return by_id(read_log_keys(centre.store.place.state))


def next_portion(centre: Centre, keys: Mapping[str, LogKey], place: ChainPlace, heads: Heads) -> VerifiedPart:
    """Verifies the next blocks after a place, in a view that holds up no writer. Raises sqlite3.Error."""
    with centre.store.read() as db:
        return verify_portion(db, keys, place, heads)


def verify_when_due(centre: Centre, is_stopped: Callable[[], bool]) -> None:
    """Verifies the chain where the last verification is a day old. Raises sqlite3.Error, OSError and ValueError."""
    with centre.store.glance() as db:
        last = read_log_check(db)
    # A clock that was put back must not put off the next one.
    if last is None or abs(centre.clock() - last.ended_ms) >= DAY_MS:
        verify_log(centre, is_stopped)


def verify_log(centre: Centre, is_stopped: Callable[[], bool] = lambda: False) -> LogCheck | None:
    """Verifies the whole chain, stores the result, and logs what is wrong. Returns None where it was stopped.

    Raises sqlite3.Error, OSError and ValueError.
    """
    keys, place, number, first = log_keys(centre), BEGIN, 0, ""
    while not is_stopped():
        portion = next_portion(centre, keys, place, Heads())
        place, number = portion.place, number + len(portion.faults)
        for fault in portion.faults[:1] if not first else ():
            first = in_words(fault)
        if portion.ended:
            return _keep(centre, LogCheck(centre.clock(), place.block, place.rows, number, first))
    return None


def _keep(centre: Centre, check: LogCheck) -> LogCheck:
    with centre.store.write() as db:
        before = read_log_check(db)
        write_log_check(db, check)
    if check.faults and (before is None or before.faults != check.faults):
        log.critical(
            "the access log is not as it was written: %s faults; the first: %s; kiosk-central access-log verify"
            " lists them",
            check.faults,
            check.first_fault,
        )
    return check
