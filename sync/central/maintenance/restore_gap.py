"""Queue numbers, ticket prefixes and rows of patients that the lost part of a restored database had given out.

The slips of paper are still in use. So the centre's own numbers of the day continue above every number that may have
been given. Kiosks that are enrolled within two days get random prefixes instead of chosen ones. Kiosks also know
patients and cards that the database has lost. They may name them until they have sent all that they kept
and have the whole roster.
"""

import secrets
from collections.abc import Iterator

from sync.central.records.audit import BY_ITSELF, note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.catching_up import begin_catching_up
from sync.central.records.log_blocks import end_of_chain
from sync.central.records.queue_numbers import skip_queue_numbers
from sync.central.records.site import NoSite, read_site
from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.clock import local_ms
from sync.journey.queue_numbers import IN_USE_MS

ON_PAPER_MS = 48 * 3600 * 1000  # the longest use of a printed number
_PER_NUMBER_MS = 5000  # above the rate of any centre, from the beginning of the day
_RESTORED, _RESTORED_AT = "restored_ms", "restored_at_change"  # names of counters


def note_restore(db: WriteTransaction, now_ms: int) -> None:
    """Records a restore from a backup, and skips the queue numbers that the lost part may have given."""
    detail = {"change": db.latest_change(), "block": end_of_chain(db)[0]}
    note(db, BY_ITSELF, AuditKind.RESTORED, now_ms, detail=detail)
    db.set_counter(_RESTORED, now_ms)
    db.set_counter(_RESTORED_AT, db.latest_change())
    begin_catching_up(db, now_ms)
    try:
        site = read_site(db)
    except NoSite:
        return
    day = site.day(now_ms)
    since_ms = now_ms - local_ms(day, site.site.day_starts_at, site.site.timezone)
    # Computed from the time alone: a new machine, or a second restore on one day, leaves no other source. A day that
    # begins soon skips the same numbers, since they are still in use then.
    for each in {day, site.day(now_ms + IN_USE_MS)}:
        skip_queue_numbers(db, site.ticket_prefix, each, max(since_ms, 0) // _PER_NUMBER_MS)


def prefixes_uncertain(db: ReadTransaction, now_ms: int) -> bool:
    """Whether kiosks may print under prefixes that this database does not hold."""
    restored_ms = db.counter(_RESTORED)
    return restored_ms is not None and abs(now_ms - restored_ms) < ON_PAPER_MS


def was_restored(db: ReadTransaction) -> bool:
    """Whether this database was ever restored."""
    return db.counter(_RESTORED) is not None


def restored_at(db: ReadTransaction) -> int:
    """The last change number of the backup that was restored; 0 where there was no restore."""
    return db.counter(_RESTORED_AT) or 0


def random_prefixes(letters: str) -> Iterator[str]:
    """Prefixes of three random letters. Two restores in a row do not give the same ones."""
    while True:
        yield "".join(secrets.choice(letters) for _ in range(3))
