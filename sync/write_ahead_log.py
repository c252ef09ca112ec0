"""The log of the connection that writes a database: emptied after a failed sync, and copied back before it grows long.

SQLite's automatic checkpoint reports no error. It syncs the log first. Where that sync fails, the kernel counts the
log's pages as written, and everything that is added behind them is lost with them in a power cut. So this program
makes the checkpoints, and sees them fail.
"""

import sqlite3
from collections.abc import Callable

from sync.database_file import empty_log, is_failed_sync

CHECKPOINT_PAGES = 1000  # of the log, as SQLite's own default
PAGES_A_ROW = 10  # of the first log, until its checkpoint tells better
MOST_ROWS = 8000  # changed rows until a checkpoint, at most
EARLY = 0.1  # of that length, in work that no person waits for
PUT_OFF = 0.25  # the same, while somebody waits behind that work


class WriteAheadLog:
    """Kept by the store of one connection, under the store's lock.

    SQLite tells the length of the log at a checkpoint alone. So changed rows are counted, and each checkpoint tells how
    many pages a row takes. Work in the background, such as a roster, has a number of its own: many of its rows share a
    page.
    """

    def __init__(self, connection: sqlite3.Connection, empty: Callable[[], bool] | None = None) -> None:
        """Turns the automatic checkpoint off. `empty` empties the log, as `empty_log()` does. Raises sqlite3.Error."""
        connection.execute("pragma wal_autocheckpoint=0")
        self.checkpoint_pages = CHECKPOINT_PAGES
        self._connection = connection
        self._counted = connection.total_changes
        self._rows = {False: 0, True: 0}  # in the log; by whether the work was in the background
        self._pages_a_row = {False: float(PAGES_A_ROW), True: float(PAGES_A_ROW)}
        self._sync_failed = False
        self._empty = empty or (lambda: empty_log(connection))

    @property
    def is_sound(self) -> bool:
        """Whether everything in the log is on the disk."""
        return not self._sync_failed

    def begin(self) -> None:
        """Called before a transaction. Empties the log first where a sync of it has failed. Raises sqlite3.Error."""
        if self._sync_failed:
            self._sync_failed = not self._empty()

    def fail(self, error: BaseException) -> None:
        """Called with the error of a transaction or of its commit."""
        self._sync_failed |= is_failed_sync(error)

    def commit(self, *, in_background: bool = False, is_wanted: bool = False) -> None:
        """Called after a commit, which is durable whatever happens here. Copies a long log back into the database.

        `in_background`: no person waited for the commit. Then already a tenth of that length counts as long, and a
        quarter while somebody waits for the store (`is_wanted`): small pieces hold up nobody for long.
        """
        changes = self._connection.total_changes
        self._rows[in_background] += changes - self._counted
        self._counted = changes
        self._copy_from((PUT_OFF if is_wanted else EARLY) if in_background else 1.0)

    def copy_early(self) -> None:
        """Called between two transactions, while nobody waits. Copies the log back as after work in the background."""
        if self.is_sound:  # else the next transaction empties it
            self._copy_from(EARLY)

    def _copy_from(self, share: float) -> None:
        """Copies the log back into the database where it has this share of a long log's length."""
        expected = sum(rows * self._pages_a_row[kind] for kind, rows in self._rows.items())
        if expected < self.checkpoint_pages * share and sum(self._rows.values()) < MOST_ROWS:
            return
        rows, self._rows = self._rows, {False: 0, True: 0}
        try:
            _, pages, _ = self._connection.execute("pragma wal_checkpoint(passive)").fetchone()
        except sqlite3.Error as error:
            self.fail(error)  # on a full disk the log just stays: the next checkpoint copies it
            return
        # The next log grows as this one did, or up to four times as slowly.
        growth = max(pages / expected, 0.25)
        for kind, number in rows.items():
            if number:
                self._pages_a_row[kind] *= growth
