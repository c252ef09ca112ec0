"""What was given out between a backup and the end of the database that it replaced, and nobody knows of any more.

The paper is still about: queue numbers that the centre gave, and those of kiosks that were enrolled then. So the
centre's own numbers of the day go on where no number can have come yet, and kiosks that are enrolled within two days
bear prefixes that nobody wishes for and no list comes to.
"""

import secrets
from collections.abc import Iterator

from sync.central.records.site import NoSite, read_site
from sync.central.store.sqlite import ReadTransaction, WriteTransaction
from sync.clock import local_ms

ON_PAPER_MS = 48 * 3600 * 1000  # for so long a printed number may still be shown
_A_NUMBER_MS = 5000  # no centre gives one more often, from the day's beginning on
_RESTORED, _RESTORED_AT = "restored_ms", "restored_at_change"  # among the counters


def note_restore(db: WriteTransaction, now_ms: int) -> None:
    """Notes that the database was put back from a backup, and skips what it may have given since in numbers."""
    db.note_counter(_RESTORED, now_ms)
    db.note_counter(_RESTORED_AT, db.latest_change())
    try:
        site = read_site(db)
    except NoSite:
        return
    day = site.day(now_ms)
    since_ms = now_ms - local_ms(day, site.site.day_starts_at, site.site.timezone)
    # By the time alone: of a second restore on one day, and on a new machine, nothing else is known.
    db.execute(
        "insert into labels values (:day, :prefix, :used) on conflict (site_day, prefix) do update"
        " set used = case when labels.used > excluded.used then labels.used else excluded.used end",
        {"day": day, "prefix": site.ticket_prefix, "used": max(since_ms, 0) // _A_NUMBER_MS},
    )


def is_unsure(db: ReadTransaction, now_ms: int) -> bool:
    """Whether kiosks may print under prefixes that this database does not know of."""
    restored_ms = db.counter(_RESTORED)
    return restored_ms is not None and abs(now_ms - restored_ms) < ON_PAPER_MS


def restored_at(db: ReadTransaction) -> int:
    """The last change number that the backup had; 0 where there was no restore."""
    return db.counter(_RESTORED_AT) or 0


def prefixes_by_chance(letters: str) -> Iterator[str]:
    """Three letters each: of a second restore, the first one's are not known either."""
    while True:
        yield "".join(secrets.choice(letters) for _ in range(3))
