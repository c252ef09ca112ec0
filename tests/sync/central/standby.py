"""A standby that follows a private PostgreSQL, falls behind, and takes its place."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from kiosk.demo.hospital import wait_for
from tests.postgres_user import own
from tests.sync.central.databases import Cluster, run_program, serve


class Standby:
    """The asynchronous standby of a cluster, and an address that leads to one of the two at a time."""

    def __init__(self, primary: Cluster) -> None:
        self._primary = primary
        self._place = primary.directory / "standby"
        self._address = self._place / "now"
        self._place.mkdir()
        own(self._place)
        self._address.symlink_to(primary.directory)
        data = self._place / "data"
        of_primary = ("-h", str(primary.directory), "-U", "postgres")
        run_program("pg_basebackup", *of_primary, "-D", str(data), "-R", "--checkpoint=fast", "--no-sync")
        self._server = serve(data, self._place)
        wait_for(self._answers, "the standby does not answer", 60.0)

    def through(self, url: str) -> str:
        """The URL of a database of the cluster at the address that leads to one of the two."""
        return url.replace(str(self._primary.directory), str(self._address))

    def catch_up(self) -> None:
        """Waits until the standby has all that the primary has."""
        end = _ask(self._primary.url("postgres"), "select pg_current_wal_lsn()")
        self._until("select pg_last_wal_replay_lsn() >= %s", end)

    def fall_behind(self) -> None:
        """Cuts the standby off from the primary."""
        self._ask("alter system set primary_conninfo = ''")
        self._ask("select pg_reload_conf()")
        self._until("select count(*) = 0 from pg_stat_wal_receiver")

    def take_over(self) -> None:
        """Ends the primary as a crash does, makes the standby the primary, and has the address lead to it."""
        self._primary.stop(signal.SIGQUIT)
        self._ask("select pg_promote()")
        self._address.unlink()
        self._address.symlink_to(self._place)

    def end(self) -> None:
        """Ends the standby, and removes what it had."""
        self._server.send_signal(signal.SIGINT)
        self._server.wait()
        shutil.rmtree(self._place)

    def _until(self, question: str, *values: object) -> None:
        wait_for(lambda: bool(self._ask(question, *values)), "the standby does not get there", 60.0)

    def _ask(self, statement: str, *values: object) -> Any:
        return _ask(f"postgresql://postgres@/postgres?host={self._place}", statement, *values)

    def _answers(self) -> bool:
        try:
            self._ask("select 1")
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def standby_of(cluster: Cluster) -> Iterator[Standby]:
    """A standby while the context is open."""
    made = Standby(cluster)
    try:
        yield made
    finally:
        made.end()


def _ask(url: str, statement: str, *values: object) -> Any:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode(), values or None)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None
