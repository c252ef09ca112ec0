"""Databases for tests: a file of SQLite, or a database of a private PostgreSQL that ends with the tests."""

from __future__ import annotations

import itertools
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from kiosk.demo.hospital import wait_for
from sync.central.line import patiently
from sync.central.store.interface import Store
from sync.central.store.opening import open_store
from sync.central.store.transactions import WriteTransaction
from tests import components
from tests.postgres_user import as_user, own

SQLITE, POSTGRESQL, POOLED = "sqlite", "postgresql", "pooled"
_TEMPLATE = "centre_template"
_FORM = """select (select md5(string_agg(relname || oid, ' ' order by oid)) from pg_class),
    (select count(*) from pg_rewrite), (select count(*) from pg_trigger), (select count(*) from pg_proc)"""
_OTHERS = """select pg_terminate_backend(pid, 10000) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()"""
# A new database costs two hundred files, so one is emptied and used again.
_EMPTY = """do $$ declare each record; begin
    set local session_replication_role = replica;
    for each in select tablename from pg_tables where schemaname = 'public' loop
        execute format('delete from public.%I', each.tablename);
    end loop;
    for each in select tablename from pg_tables where schemaname = 'fresh' loop
        execute format('insert into public.%I select * from fresh.%I', each.tablename, each.tablename);
    end loop;
end $$"""
_KEEP = """do $$ declare each record; filled boolean; begin
    create schema fresh;
    for each in select tablename from pg_tables where schemaname = 'public' loop
        execute format('select exists (select from public.%I)', each.tablename) into filled;
        if filled then
            execute format('create table fresh.%I as table public.%I', each.tablename, each.tablename);
        end if;
    end loop;
end $$"""
_USER = "postgres"  # of the database


@dataclass(frozen=True, slots=True)
class Database:
    """The database of a test: its URL, the directory of its state where it needs one, its URL past a pooler."""

    url: str
    state_dir: Path | None = None
    direct: str | None = None

    @property
    def is_postgresql(self) -> bool:
        """Whether it is a database of PostgreSQL."""
        return self.url.startswith(POSTGRESQL)

    @property
    def options(self) -> list[str]:
        """The options that name it on a command line."""
        return ["--database", self.url, *(["--state-dir", str(self.state_dir)] if self.state_dir else [])]

    def open(self) -> Store:
        """Its store."""
        return open_store(self.url, self.state_dir, direct=self.direct)

    def open_soon(self) -> Store:
        """Its store, as soon as the server has noticed the end of another process that had it open."""
        return patiently(self.open, 60.0)

    def ignore_updates(self, db: WriteTransaction, table: str) -> None:
        """Has the database write no change of a table's rows, and call that no error."""
        if self.is_postgresql:
            db.execute(f"create rule ignored as on update to {table} do instead nothing")
        else:
            db.execute(f"create trigger ignored before update on {table} begin select raise(ignore); end")

    def refuse(self, db: WriteTransaction, what: str, table: str, condition: str = "true") -> None:
        """Has the database refuse each `insert` or `update` of a table's rows of which the condition is true."""
        if self.is_postgresql:
            raising = "begin raise integrity_constraint_violation; end"
            db.execute(f"create function refused() returns trigger language plpgsql as '{raising}'")
            then = f"for each row when ({condition}) execute function refused()"
        else:
            then = f"when {condition} begin select raise(abort, 'no room'); end"
        db.execute(f"create trigger refused before {what} on {table} {then}")

    def refuse_no_more(self, db: WriteTransaction, table: str) -> None:
        """Has the database take again what `refuse` refused."""
        if self.is_postgresql:
            db.execute(f"drop trigger refused on {table}")
            db.execute("drop function refused")
        else:
            db.execute("drop trigger refused")


class Cluster:
    """A private PostgreSQL, at a socket in a directory of its own. What it writes survives a power cut if `durable`."""

    def __init__(self, directory: Path, *, durable: bool = False) -> None:
        self.directory = directory
        self._syncs = "on" if durable else "off"
        self._numbers = itertools.count(1)
        self._server: subprocess.Popen[bytes] | None = None
        own(directory)
        words = (
            "--no-sync",
            "-A",
            "trust",
            "--locale=C",
            "--encoding=UTF8",
            f"--username={_USER}",
            "-D",
            str(self._data),
        )
        run_program("initdb", *words)
        self.start()
        self._sql(f"create database {_TEMPLATE}")
        open_store(self.url(_TEMPLATE), directory).close()
        self._sql(_KEEP, _TEMPLATE)
        self._form = self._sql(_FORM, _TEMPLATE)
        self._spare: list[str] = []

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    @property
    def pid(self) -> int:
        """The server's first process, from which the others descend."""
        assert self._server is not None
        return self._server.pid

    def url(self, name: str) -> str:
        """The URL of a database of this name."""
        return f"postgresql://{_USER}@/{name}?host={self.directory}"

    def start(self) -> None:
        """Starts the server, and returns when it answers."""
        self._server = serve(self._data, self.directory, self._syncs)
        wait_for(self._answers, "PostgreSQL does not answer", 60.0)

    def stop(self, how: int = signal.SIGINT) -> None:
        """Stops the server, and ends every connection: in order, or at once as by a crash (SIGQUIT)."""
        self.signal(how)
        assert self._server is not None
        self._server.wait()

    def signal(self, how: int) -> None:
        """Tells the server to stop, as `stop()` does, and does not wait for it."""
        assert self._server is not None
        self._server.send_signal(how)

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of a database with the centre's tables, empty. Nobody else uses it while the context is open."""
        name = self._spare.pop() if self._spare else self._new(f"template {_TEMPLATE}")
        yield self.url(name)
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            connection.execute(_OTHERS)
            is_as_it_was = connection.execute(_FORM).fetchall() == self._form
            if is_as_it_was:
                connection.execute(_EMPTY.encode())
        if is_as_it_was:
            self._spare.append(name)
        else:
            self._sql(f"drop database {name}")

    @contextmanager
    def bare(self, options: str = "") -> Iterator[str]:
        """The URL of a new database without tables, made with these options of `create database`."""
        name = self._new(options)
        try:
            yield self.url(name)
        finally:
            self._sql(f"drop database {name} with (force)")

    def _new(self, options: str) -> str:
        name = f"test{next(self._numbers)}"
        self._sql(f"create database {name} {options}")
        return name

    def _answers(self) -> bool:
        try:
            self._sql("select 1")
        except psycopg.OperationalError:
            return False
        return True

    def _sql(self, statement: str, name: str = "postgres") -> object:
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else None


@contextmanager
def cluster(*, durable: bool = False) -> Iterator[Cluster]:
    """A private PostgreSQL while the context is open."""
    # Its user must reach the directory, and a path of a socket is short.
    with tempfile.TemporaryDirectory(prefix="nfc-kiosk-pg-") as directory:
        made = Cluster(Path(directory), durable=durable)
        try:
            yield made
        finally:
            made.stop()


def serve(data: Path, sockets: Path, syncs: str = "off") -> subprocess.Popen[bytes]:
    """Starts a server on a directory of data, at a socket in another one. It ends with this process."""
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(sockets),
        "fsync": syncs,
        "full_page_writes": syncs,
        "shared_buffers": "16MB",
        "max_wal_size": "64MB",
        "autovacuum": "off",
        "log_min_messages": "fatal",
    }
    words = itertools.chain.from_iterable(("-c", f"{name}={value}") for name, value in settings.items())
    return subprocess.Popen(
        [*as_user("--pdeathsig", "INT"), _program("postgres"), "-D", str(data), *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def run_program(name: str, *words: str) -> None:
    """Runs one of PostgreSQL's programs to its end."""
    subprocess.run([*as_user(), _program(name), *words], check=True, capture_output=True)


def _program(name: str) -> str:
    """The path of one of PostgreSQL's programs, of its newest version here."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    components.demand(bool(found), "Debian's package postgresql")
    return str(found[-1])
