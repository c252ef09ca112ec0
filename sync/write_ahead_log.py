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


class WriteAheadLog:
    """Kept by the store of one connection, under the store's lock.

    SQLite tells the length of the log at a checkpoint alone. So changed rows are counted, and each checkpoint tells how
    many rows make a log of `checkpoint_pages`.
    """

    def __init__(self, connection: sqlite3.Connection, empty: Callable[[], bool] | None = None) -> None:
        """Turns the automatic checkpoint off. `empty` empties the log, as `empty_log()` does. Raises sqlite3.Error."""
        connection.execute("pragma wal_autocheckpoint=0")
        self.checkpoint_pages = CHECKPOINT_PAGES
        self._connection = connection
        self._copied = connection.total_changes
        self._pages_a_row = float(PAGES_A_ROW)
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

    def commit(self) -> None:
        """Called after a commit, which is durable whatever happens here. Copies a long log back into the database."""
        rows = self._connection.total_changes - self._copied
        if rows < min(self.checkpoint_pages / self._pages_a_row, MOST_ROWS):
            return
        self._copied += rows
        try:
            _, pages, _ = self._connection.execute("pragma wal_checkpoint(passive)").fetchone()
        except sqlite3.Error as error:
            self.fail(error)  # on a full disk the log just stays: the next checkpoint copies it
            return
        # The next log grows as this one did, or up to four times as slowly.
        self._pages_a_row = max(pages / rows, self._pages_a_row / 4)
