"""Seals the rows of the access log, and deletes old blocks. One service of the database does it, beside all actions."""

import logging
from collections.abc import Callable

from sync.central.centre import Centre
from sync.central.maintenance.log_keys import sealing_key
from sync.central.records.audit import BY_ITSELF, note
from sync.central.records.audit_kinds import KEPT_DAYS, AuditKind
from sync.central.records.log_blocks import MOST_ROWS, delete_oldest_blocks, last_block, open_rows, seal_block
from sync.central.records.log_digests import Block
from sync.clock import DAY_MS, MINUTE_MS, iso

log = logging.getLogger(__name__)

SEALED_WITHIN_MS = MINUTE_MS


def seal_log(centre: Centre, is_stopped: Callable[[], bool] = lambda: False, *, at_once: bool = False) -> int:
    """Seals what is due: five hundred rows, or those of which one is a minute old. Returns the number of blocks.

    `at_once` seals every row that does not count any more. Raises sqlite3.Error, OSError and ValueError.
    """
    made = 0
    while not is_stopped():
        with centre.store.glance() as db:
            waiting, now_ms = open_rows(db, centre.clock()), centre.clock()
        is_old = waiting.oldest_ms is not None and not 0 <= now_ms - waiting.oldest_ms < SEALED_WITHIN_MS
        if not waiting.rows or not (at_once or is_old or waiting.rows >= MOST_ROWS):
            break
        with centre.store.write() as db:
            # Within the transaction: two workers do not make a key at once.
            seal_block(db, sealing_key(centre.store.place.state), centre.clock())
        made += 1
    return made


def delete_old_blocks(centre: Centre, kept_days: int = KEPT_DAYS) -> int:
    """Deletes the blocks that are older than `kept_days`, about a thousand rows a transaction, each with a row.

    Returns how many rows it deleted. Raises sqlite3.Error, OSError and ValueError.
    """
    now_ms, deleted = centre.clock(), 0
    until_ms = now_ms - kept_days * DAY_MS
    while True:
        with centre.store.write() as db:
            key = sealing_key(centre.store.place.state)
            found = delete_oldest_blocks(db, key, now_ms, until_ms)
            if found is None:
                return deleted
            detail = {"blocks": [found.first, found.last], "rows": found.rows, "older_than": iso(until_ms, "UTC")}
            note(db, BY_ITSELF, AuditKind.LOG_DELETED, now_ms, detail=detail)
        deleted += found.rows


def tell_head(centre: Centre) -> Block | None:
    """Writes the end of the chain to the service's log, where it is out of reach of who changes the database."""
    with centre.store.glance() as db:
        head = last_block(db)
    if head is not None:
        log.info(
            "the access log is sealed up to block %s of %s: %s", head.block, iso(head.sealed_ms, "UTC"), head.digest
        )
    return head
