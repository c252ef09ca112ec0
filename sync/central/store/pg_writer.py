"""The connection that writes into PostgreSQL: it waits its turn among all services, and tells them its news."""

import sqlite3
from collections.abc import Callable, Sequence

from psycopg.sql import Literal

from sync.central.store.news import NewsItem
from sync.central.store.pg_connection import PgConnection
from sync.central.store.pg_errors import operational
from sync.central.store.pg_locks import CHANNEL, waits
from sync.central.store.pg_news import notifications
from sync.central.store.pg_transaction import PgTransaction
from sync.central.store.transactions import COMMON, ReadTransaction, WriteTransaction

# A commit waits for the disk, whatever the server's own setting is. More than that may be asked there.
SYNCHRONOUS = (
    "select set_config('synchronous_commit', case current_setting('synchronous_commit')"
    " when 'remote_apply' then 'remote_apply' else 'on' end, {is_local})"
)
# Through a pooler each transaction may have another session, whose settings are not ours.
_OF_A_POOLED_SESSION = f"set local lock_timeout = '5s'; {SYNCHRONOUS.format(is_local='true')}"
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

    def begin(self, *, beside: bool) -> int | None:
        """Begins a transaction, on a new connection where the server has ended the last one. Raises sqlite3.Error."""
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
            if self.connection.in_transaction:
                self.connection.execute("rollback")
            raise
        self._change = change
        return change if beside else None

    def transaction(self, seen: int | None) -> PgTransaction:
        """The transaction."""
        return PgTransaction(self.connection, seen)

    def join(self) -> int | None:
        """Begins a part of the open transaction. Raises sqlite3.Error."""
        return _read_seen(self.connection, f"savepoint turn; {_SEEN}")[0]

    def tell(self, news: Sequence[NewsItem]) -> None:
        """Has news told to other services by the commit. One that is alone has nobody to tell."""
        if not self._is_alone:
            self._news += news

    def commit(self) -> None:
        """Makes the transaction durable. Raises sqlite3.Error."""
        # After an error that nobody heard, the server answers a commit by a rollback, and calls that no error.
        if not self.connection.can_commit:
            raise operational("the transaction was rolled back")
        self.connection.together("; ".join([*map(_notify, notifications(self.sender, self._news)), "commit"]))
        self._change = max([self._change, *(each.number for each in self._news)])

    def fail(self, error: BaseException) -> None:
        """Does nothing: the server keeps its own log."""

    def rest(self) -> None:
        """Does nothing: the server looks after itself."""

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
