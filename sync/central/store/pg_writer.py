"""The connection that writes into PostgreSQL: it waits its turn among all services, and tells them its news."""

import sqlite3
from collections.abc import Callable, Sequence

from psycopg.sql import Literal

from sync.central.store.errors import Trouble, trouble_of
from sync.central.store.news import NewsItem
from sync.central.store.pg_connection import PgConnection
from sync.central.store.pg_errors import operational
from sync.central.store.pg_locks import CHANNEL, waits
from sync.central.store.pg_news import notifications
from sync.central.store.pg_transaction import BesideTransaction, PgTransaction, commit_beside
from sync.central.store.transactions import COMMON, ReadTransaction, WriteTransaction

# A commit waits for the disk, whatever the server's own setting is. More than that may be asked there.
SYNCHRONOUS = (
    "select set_config('synchronous_commit', case current_setting('synchronous_commit')"
    " when 'remote_apply' then 'remote_apply' else 'on' end, {is_local})"
)
# Through a pooler each transaction may have another session, whose settings are not ours.
_OF_A_POOLED_SESSION = (
    "set local lock_timeout = '5s'; set local idle_in_transaction_session_timeout = '30s';"
    f" {SYNCHRONOUS.format(is_local='true')}"
)
_SEEN = f"""select max(value) filter (where name = 'change'), max(value) filter (where name = '{COMMON}')
    from counters where site_day = '' and name in ('change', '{COMMON}')"""  # noqa: S608


class PgWriter:
    """The connection, with what this service has seen of the database."""

    def __init__(self, connection: PgConnection, sender: str, *, is_alone: bool) -> None:
        """`sender` is this service in its news. One that `is_alone` keeps all others out. Raises sqlite3.Error."""
        self.connection = connection
        self.sender = sender
        self._is_alone = is_alone
        self._news: list[NewsItem] = []
        self._reread: Callable[[ReadTransaction], None] = lambda _: None
        self._set_back: Callable[[WriteTransaction], None] = lambda _: None
        self._change, self._common = _read_seen(connection, _SEEN)

    def heed(self, reread: Callable[[ReadTransaction], None], set_back: Callable[[WriteTransaction], None]) -> None:
        """Has functions called before anything else in a transaction, as `Store.heed()` says."""
        self._reread, self._set_back = reread, set_back

    def begin(self) -> None:
        """Begins a transaction in turn with those of other services. Raises sqlite3.Error."""
        self._begin_anew(beside=False)

    def transaction(self) -> PgTransaction:
        """The transaction that was begun, or a part of it."""
        return PgTransaction(self.connection)

    def begin_beside(self) -> None:
        """Begins a transaction beside those of other services. Raises sqlite3.Error."""
        self._begin_anew(beside=True)

    def transaction_beside(self) -> BesideTransaction:
        """A part of the transaction that was begun beside others."""
        return BesideTransaction(self.connection, self._change)

    def commit_beside(self, transactions: Sequence[BesideTransaction]) -> None:
        """Makes such a transaction durable, with all its parts. Raises Overtaken, and as `commit` does."""
        self._demand_sound()
        commit_beside(self.connection, transactions, self._texts, CHANNEL)
        for transaction in transactions:
            self._saw(transaction.news)

    def undo(self) -> None:
        """Undoes the open transaction, if there is one. Raises sqlite3.Error."""
        if self.connection.in_transaction:
            self.connection.execute("rollback")

    def _begin_anew(self, *, beside: bool) -> None:
        """Begins a transaction, on a new connection where the server has ended the last one."""
        self.connection.renew()
        try:
            change, common = self._begin(beside=beside)
            if change < self._change:
                self._set_back(WriteTransaction(self.connection))
                self.connection.execute("commit")
                self._change = change
                change, common = self._begin(beside=beside)
            if common != self._common:
                self._reread(ReadTransaction(self.connection))
                self._common = common
        except BaseException:
            self.undo()
            raise
        self._change = change

    def tell(self, news: Sequence[NewsItem]) -> None:
        """Has news told to other services by the commit. One that is alone has nobody to tell."""
        if not self._is_alone:
            self._news += news

    def commit(self) -> None:
        """Makes the transaction durable. Raises sqlite3.Error."""
        self._demand_sound()
        self.connection.together("; ".join([*map(_notify, notifications(self.sender, self._news)), "commit"]))
        self._saw(self._news)

    def fail(self, error: BaseException) -> None:
        """Ends a session that may not write: the next one may reach a primary, or find that it may."""
        if isinstance(error, sqlite3.OperationalError) and trouble_of(error) is Trouble.READ_ONLY:
            self.connection.close()

    def rest(self) -> None:
        """Does nothing: the server looks after itself."""

    def _texts(self, news: Sequence[NewsItem]) -> list[str]:
        return [] if self._is_alone else notifications(self.sender, news)

    def _demand_sound(self) -> None:
        # After an error that nobody heard, the server answers a commit by a rollback, and calls that no error.
        if not self.connection.can_commit:
            raise operational("the transaction was rolled back")

    def _saw(self, news: Sequence[NewsItem]) -> None:
        self._change = max([self._change, *(each.number for each in news)])

    def _begin(self, *, beside: bool) -> tuple[int, int]:
        """Begins a transaction. Returns the last change number, and the number of common changes."""
        self._news = []
        settings = [_OF_A_POOLED_SESSION] if self.connection.is_pooled else []
        statements = ["begin", *settings, waits(beside=beside, alone=self._is_alone), _SEEN]
        return _read_seen(self.connection, "; ".join(statements))


def _read_seen(connection: PgConnection, sql: str) -> tuple[int, int]:
    row = connection.together(sql)
    if row is None or row[0] is None:
        raise sqlite3.DatabaseError("the counter of changes is missing")
    return row[0], row[1] or 0


def _notify(text: str) -> str:
    return f"select pg_notify('{CHANNEL}', {Literal(text).as_string()})"
