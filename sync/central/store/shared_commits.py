"""The one connection that writes. Brief transactions that wait for each other share a commit.

A commit waits for the disk, and the next writer waits for the commit. So a brief transaction stays open for a writer
that waits already, which adds its own as a savepoint. The last of them commits for all.
"""

import contextlib
import copy
import logging
import sqlite3
import threading
import time
from collections.abc import Iterator

from sync.central.store.connection import Writer
from sync.central.store.transactions import WriteTransaction
from sync.fair_lock import FairLock

log = logging.getLogger(__name__)

SHARED_S = 0.01  # from the begin of a commit's first transaction, until it takes no further one
MOST_SHARING = 64
TOO_LATE = "the transactions before this one take too long"


class Commit:
    """One commit, and the transactions that it covers."""

    def __init__(self, shared_s: float) -> None:
        """It takes further transactions for `shared_s` seconds."""
        self._until = time.monotonic() + shared_s
        self._sharing = 1
        self._settled: threading.Event | None = None  # a transaction that shares with nobody needs none
        self._error: BaseException | None = None

    @property
    def takes_more(self) -> bool:
        """Whether a further transaction may share the commit."""
        return self._sharing < MOST_SHARING and time.monotonic() < self._until

    def stay_open(self) -> None:
        """Lets a thread wait for the commit of another one."""
        self._settled = self._settled or threading.Event()

    def share(self) -> None:
        """Counts a further transaction."""
        self._sharing += 1

    def settle(self, error: BaseException | None = None) -> None:
        """Tells every thread that waits that the commit is durable, or why it is not."""
        self._error = error
        if self._settled is not None:
            self._settled.set()

    def wait(self) -> None:
        """Waits until the commit is durable. Raises sqlite3.Error where it failed, a copy for each thread."""
        if self._settled is not None:
            self._settled.wait()
        if isinstance(self._error, sqlite3.Error):
            raise copy.copy(self._error) from self._error
        if self._error is not None:
            raise sqlite3.OperationalError("the commit was interrupted") from self._error


class SharedCommits:
    """The connection that writes. Threads take turns in the order of their requests."""

    def __init__(self, writer: Writer[WriteTransaction], turn_s: float | None = None) -> None:
        """A thread whose turn has not come after `turn_s` seconds gets an error. Without it there is no end."""
        self.shared_s = SHARED_S
        self.turn_s = turn_s
        self._writer = writer
        self._connection = writer.connection
        self._turns = FairLock()
        self._open: Commit | None = None  # the commit of a transaction that was left open for the next writer

    @contextlib.contextmanager
    def transaction(self, *, brief: bool) -> Iterator[WriteTransaction]:
        """One transaction, as `Store.write()` says."""
        self._take_turn()
        try:
            commit, is_first = self._begin(brief=brief)
            try:
                transaction = self._writer.transaction()
                yield transaction
                transaction.flush()
                if not is_first:
                    self._connection.execute("release savepoint turn")
                self._writer.tell(transaction.news)
            except BaseException as error:
                self._undo(commit, error, is_first=is_first)
                raise
            finally:
                if brief and self._may_stay_open():
                    commit.stay_open()
                else:
                    self._commit_open()
        finally:
            self._turns.release()
        self._commit_abandoned()
        commit.wait()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """The turn of one thread, with every transaction committed."""
        self._take_turn()
        try:
            self._commit_open()
            yield
        finally:
            self._turns.release()

    def _take_turn(self) -> None:
        try:
            has_turn = self._turns.acquire(self.turn_s)
        except BaseException:
            # A transaction may have been left open for this very thread.
            with self._turns:
                self._commit_open()
            raise
        if not has_turn:
            raise sqlite3.OperationalError(TOO_LATE)

    def _commit_abandoned(self) -> None:
        """Commits what was left open for a thread whose patience has ended meanwhile."""
        if self._open is not None and self._turns.acquire(0):
            try:
                self._commit_open()
            finally:
                self._turns.release()

    def _begin(self, *, brief: bool) -> tuple[Commit, bool]:
        """The commit that the transaction of this turn is part of, and whether it is the first one there."""
        if not brief:
            self._commit_open()
        if self._open is not None and self._joins(self._open):
            return self._open, False
        self._writer.begin()
        self._open = Commit(self.shared_s)
        return self._open, True

    def _joins(self, commit: Commit) -> bool:
        """Adds a transaction to the open one. False where the database has ended that one: it is undone then."""
        try:
            self._connection.execute("savepoint turn")
        except sqlite3.Error as error:
            self._undo(commit, error, is_first=True)
            return False
        commit.share()
        return True

    def _may_stay_open(self) -> bool:
        """Whether the open transaction can wait for one more. One that the database has ended by itself cannot."""
        is_sound = self._open is not None and self._open.takes_more and self._connection.in_transaction
        return is_sound and self._turns.is_wanted

    def _undo(self, commit: Commit, error: BaseException, *, is_first: bool) -> None:
        """Undoes the transaction of this turn alone, or all that share its commit where that cannot be done."""
        self._writer.fail(error)
        if not is_first and self._undo_savepoint():
            return
        self._roll_back()
        commit.settle(error)
        self._open = None

    def _undo_savepoint(self) -> bool:
        """Whether the others that share the commit can go on. The database may have rolled back by itself."""
        if not self._connection.in_transaction:
            return False
        try:
            self._connection.execute("rollback to savepoint turn")
            self._connection.execute("release savepoint turn")
        except sqlite3.Error:
            return False
        return True

    def _roll_back(self) -> None:
        """Undoes the open transaction. One whose connection is lost is undone already: nobody may wait for it."""
        try:
            if self._connection.in_transaction:
                self._connection.execute("rollback")
        except sqlite3.Error:
            log.debug("a rollback has failed: the connection is lost, and the transaction with it")

    def _commit_open(self) -> None:
        """Commits what is open, if anything, and tells those who wait. An error is theirs too: `wait()` raises it."""
        commit, self._open = self._open, None
        if commit is None:
            return
        try:
            self._write_open(commit)
        except BaseException as error:
            self._writer.fail(error)
            self._roll_back()  # a commit that fails may have done so by itself
            commit.settle(error)
            if not isinstance(error, Exception):
                raise
            return
        commit.settle()
        self._writer.rest()

    def _write_open(self, commit: Commit) -> None:  # noqa: ARG002 for a kind of commit that knows its transactions
        self._writer.commit()
