"""Commits on PostgreSQL: transactions of one service that go on beside those of other services share a commit too.

Each of them keeps its rows, and one message at the end takes their change numbers, writes all rows and commits. So the
services wait for each other's numbers while one message is on its way, and not while threads prepare what it says. Two
that share a commit do not see each other's rows, as two of different services do not. Where they have met, nothing of
the commit counts, and each is done again in turn.
"""

import contextlib
import sqlite3
from collections.abc import Iterator

from sync.central.store.errors import Overtaken
from sync.central.store.pg_transaction import BesideTransaction
from sync.central.store.pg_writer import PgWriter
from sync.central.store.shared_commits import Commit, SharedCommits
from sync.central.store.transactions import WriteTransaction

_MET = "another transaction of the same commit has met one of another service"


class BesideCommit(Commit):
    """A commit beside those of other services, with the transactions that it covers."""

    def __init__(self, shared_s: float) -> None:
        """It takes further transactions for `shared_s` seconds."""
        super().__init__(shared_s)
        self.transactions: list[BesideTransaction] = []

    @property
    def takes_more(self) -> bool:
        """Not after a transaction that has a number already: other services wait for it."""
        return super().takes_more and not any(each.has_written for each in self.transactions)

    def wait(self) -> None:
        """Waits as its base does. Raises Overtaken where the cause may be another transaction of the commit."""
        try:
            super().wait()
        except (sqlite3.IntegrityError, sqlite3.DataError) as error:
            if len(self.transactions) == 1:
                raise
            raise Overtaken(_MET) from error


class PgCommits(SharedCommits):
    """The connection that writes. Threads take turns in the order of their requests."""

    def __init__(self, writer: PgWriter, turn_s: float | None = None) -> None:
        """As the base."""
        super().__init__(writer, turn_s)
        self._pg_writer = writer

    @contextlib.contextmanager
    def beside(self) -> Iterator[WriteTransaction]:
        """A brief transaction beside those of other services."""
        self._take_turn()
        try:
            commit = self._begin_beside()
            transaction = self._pg_writer.transaction_beside()
            try:
                yield transaction
                commit.transactions.append(transaction)
            except BaseException as error:
                self._leave_out(commit, transaction, error)
                raise
            finally:
                if self._may_stay_open():
                    commit.stay_open()
                else:
                    self._commit_open()
        finally:
            self._turns.release()
        self._commit_abandoned()
        commit.wait()

    def _begin_beside(self) -> BesideCommit:
        if isinstance(self._open, BesideCommit) and self._open.takes_more:
            self._open.share()
            return self._open
        self._commit_open()
        self._pg_writer.begin_beside()
        self._open = commit = BesideCommit(self.shared_s)
        return commit

    def _begin(self, *, brief: bool) -> tuple[Commit, bool]:
        if isinstance(self._open, BesideCommit):
            self._commit_open()  # what comes now waits its turn among all services
        return super()._begin(brief=brief)

    def _leave_out(self, commit: BesideCommit, transaction: BesideTransaction, error: BaseException) -> None:
        """Goes on without a transaction that has failed. Where it has left something behind, nothing of all counts."""
        self._writer.fail(error)
        if self._pg_writer.connection.can_commit and not transaction.has_written:
            return
        self._roll_back()
        commit.settle(Overtaken(_MET))
        self._open = None

    def _write_open(self, commit: Commit) -> None:
        if isinstance(commit, BesideCommit):
            self._pg_writer.commit_beside(commit.transactions)
        else:
            super()._write_open(commit)
