"""The store on PostgreSQL: a server that goes and comes back, its form, and errors that name no patient."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from time import sleep

import psycopg
import pytest

from sync.central.store.errors import InUse, StoreError, Trouble, is_of_the_action, trouble_of
from sync.central.store.postgres import PostgresStore
from sync.central.store.shared_commits import TOO_LATE
from sync.central.store.transactions import ReadTransaction, WriteTransaction
from tests.sync.central.databases import Cluster


@pytest.fixture
def url(cluster: Cluster) -> Iterator[str]:
    with cluster.database() as url:
        yield url


@pytest.fixture
def store(url: str, tmp_path: Path) -> Iterator[PostgresStore]:
    made = PostgresStore(url, tmp_path)
    yield made
    made.close()


def put(db: ReadTransaction, prefix: str) -> None:
    db.execute("insert into counters (name, value) values (:prefix, 1)", {"prefix": prefix})


def write(store: PostgresStore, prefix: str, *, brief: bool = False) -> None:
    with store.write(brief=brief) as db:
        put(db, prefix)


def prefixes(store: PostgresStore) -> list[str]:
    with store.read() as db:
        return [row["name"] for row in db.rows("select name from counters where name <> 'change' order by name")]


def end_session(url: str, db: ReadTransaction) -> None:
    """Ends the connection of a transaction, as the server does at its stop."""
    session = db.value("select pg_backend_pid()")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("select pg_terminate_backend(%s, 60000)", (session,))


@contextmanager
def stopped(cluster: Cluster) -> Iterator[None]:
    """A server that is away while the context is open."""
    cluster.stop()
    try:
        yield
    finally:
        cluster.start()


def test_after_a_restart_of_the_server_reads_and_writes_go_on(cluster: Cluster, store: PostgresStore):
    write(store, "A")
    with store.glance() as db:
        db.latest_change()
    with stopped(cluster):
        pass
    with store.glance() as db:
        assert db.value("select count(*) from counters where name <> 'change'") == 1
    assert prefixes(store) == ["A"]
    write(store, "B", brief=True)
    assert prefixes(store) == ["A", "B"]


def test_a_server_that_is_away_is_trouble_of_its_own_and_no_use_of_the_store_is_lost(
    cluster: Cluster, store: PostgresStore
):
    write(store, "A")
    assert prefixes(store) == ["A"]
    with stopped(cluster):
        for use in (lambda: write(store, "B"), lambda: write(store, "B", brief=True), lambda: prefixes(store)):
            with pytest.raises(sqlite3.OperationalError) as failed:
                use()
            assert trouble_of(failed.value) is Trouble.CANNOT_OPEN
    assert prefixes(store) == ["A"]
    write(store, "C")
    assert prefixes(store) == ["A", "C"]


def test_nothing_of_a_transaction_goes_to_the_connection_after_its_own(url: str, store: PostgresStore):
    def begin(db: ReadTransaction) -> None:
        put(db, "A")
        end_session(url, db)
        for prefix in ("B", "C"):
            with pytest.raises(sqlite3.OperationalError):
                put(db, prefix)

    with pytest.raises(sqlite3.OperationalError), store.write() as db:
        begin(db)
    with store.read() as seen:
        end_session(url, seen)
        with pytest.raises(sqlite3.OperationalError):
            seen.latest_change()
    assert prefixes(store) == []
    write(store, "D")
    assert prefixes(store) == ["D"]


def test_a_connection_that_ends_within_a_savepoint_is_told_as_that(url: str, store: PostgresStore):
    def lose(db: WriteTransaction) -> None:
        with db.savepoint():
            end_session(url, db)
            put(db, "A")

    with pytest.raises(sqlite3.OperationalError) as failed, store.write() as db:
        lose(db)
    assert trouble_of(failed.value) is Trouble.BUSY  # the server has said that it ends the session


def test_a_writer_that_finds_the_shared_transaction_gone_begins_its_own(url: str, store: PostgresStore):
    store._commits.shared_s = 60.0
    with ThreadPoolExecutor(1) as pool:

        def first() -> None:
            with store.write(brief=True) as db:
                put(db, "A")
                while not store._commits._turns.is_wanted:
                    sleep(0.01)
                end_session(url, db)

        failed = pool.submit(first)
        while not store._commits._turns._owner:
            sleep(0.01)
        write(store, "B", brief=True)
        assert isinstance(failed.exception(), sqlite3.OperationalError)
    assert prefixes(store) == ["B"]


def test_an_error_that_nobody_heard_is_no_commit(store: PostgresStore):
    def swallow(db: WriteTransaction) -> None:
        put(db, "A")
        with pytest.raises(sqlite3.IntegrityError):
            put(db, "A")

    with pytest.raises(sqlite3.OperationalError, match="rolled back"), store.write() as db:
        swallow(db)
    assert prefixes(store) == []


@pytest.mark.parametrize(
    ("statement", "text", "kind"),
    [
        ("insert into counters (name, value) values (:text, 1), (:text, 2)", "Kim Minji", sqlite3.IntegrityError),
        ("insert into counters (name, value) values ('other', :text)", "Kim Minji", sqlite3.DataError),
        ("insert into counters (name, value) values (:text, 1)", "Kim\0Minji", sqlite3.DataError),
        ("insert into counters (name, value) values (:text, no_column)", "Kim Minji", sqlite3.OperationalError),
        ("select :text from counters where", "Kim Minji", sqlite3.ProgrammingError),
    ],
)
def test_no_error_quotes_a_row(store: PostgresStore, statement: str, text: str, kind: type[sqlite3.Error]):
    with pytest.raises(kind) as failed, store.write() as db:
        db.execute(statement, {"text": text})
    assert "Kim" not in repr(failed.value)
    assert failed.value.__suppress_context__, "a traceback would show the driver's own text"


def test_a_text_that_is_too_long_for_its_index_concerns_its_action_alone(store: PostgresStore):
    text = "".join(f"{number:x}" for number in range(9000))
    with pytest.raises(sqlite3.DataError), store.write() as db:
        db.set_counter(text, 1)


@pytest.mark.parametrize(
    ("state", "trouble"),
    [
        ("53100", Trouble.DISK_FULL),
        ("53400", Trouble.DISK_FULL),
        ("58030", Trouble.DISK_FAILS),
        ("58P01", Trouble.DISK_FAILS),
        ("XX001", Trouble.DISK_FAILS),
        ("XX002", Trouble.DISK_FAILS),
        ("25006", Trouble.READ_ONLY),
        ("42501", Trouble.READ_ONLY),
        ("08006", Trouble.CANNOT_OPEN),
        ("3D000", Trouble.CANNOT_OPEN),
        ("3F000", Trouble.CANNOT_OPEN),
        ("42P01", Trouble.CANNOT_OPEN),
        ("57P04", Trouble.CANNOT_OPEN),
        ("55P03", Trouble.BUSY),
        ("40P01", Trouble.BUSY),
        ("57014", Trouble.BUSY),
        ("25P03", Trouble.BUSY),
        ("26000", Trouble.BUSY),
        ("42P05", Trouble.BUSY),
        ("53200", Trouble.BUSY),
        ("53300", Trouble.BUSY),
        ("57P01", Trouble.BUSY),
        ("57P02", Trouble.BUSY),
        ("57P05", Trouble.BUSY),
        ("XX000", Trouble.BUSY),
    ],
)
def test_what_keeps_the_server_from_working_is_told_as_that(store: PostgresStore, state: str, trouble: Trouble):
    with pytest.raises(sqlite3.OperationalError) as failed, store.write() as db:
        db.execute(f"do $$ begin raise exception using errcode = '{state}'; end $$")
    assert trouble_of(failed.value) is trouble
    assert not is_of_the_action(failed.value)


def test_a_table_that_is_missing_stops_a_whole_batch(store: PostgresStore):
    with pytest.raises(sqlite3.OperationalError) as failed, store.write() as db:
        db.execute("insert into nowhere values (1)")
    assert not is_of_the_action(failed.value)


def test_a_statement_that_the_driver_refuses_concerns_its_action_alone(store: PostgresStore):
    with pytest.raises(sqlite3.ProgrammingError) as failed, store.write() as db:
        db.execute("insert into counters (name, value) values (:name, :value)", {"name": object(), "value": 1})
    assert is_of_the_action(failed.value)


def test_where_a_table_stays_locked_those_who_wait_for_their_turn_are_told_so_and_reads_go_on(
    url: str, store: PostgresStore
):
    store._commits.turn_s = 0.05
    waits = "select count(*) from pg_locks where not granted and relation = 'card_blocks'::regclass"

    def unblock() -> None:
        with store.write() as db:
            db.execute("set local lock_timeout = 0")
            db.execute("delete from card_blocks")

    with psycopg.connect(url) as admin, ThreadPoolExecutor(8) as pool:
        admin.execute("lock table card_blocks in access exclusive mode")
        first = pool.submit(unblock)
        while admin.execute(waits).fetchone() != (1,):
            sleep(0.01)
        errors = [each.exception() for each in [pool.submit(unblock) for _ in range(7)]]
        assert prefixes(store) == []
        admin.rollback()
    assert {str(error) for error in errors} == {TOO_LATE}
    assert {trouble_of(error) for error in errors if isinstance(error, sqlite3.OperationalError)} == {Trouble.BUSY}
    assert first.exception() is None


def test_a_table_that_stays_locked_ends_a_transaction(url: str, store: PostgresStore):
    with psycopg.connect(url) as admin:
        admin.execute("lock table counters in access exclusive mode")
        with pytest.raises(sqlite3.OperationalError, match="lock timeout") as failed:
            write(store, "A")
    assert trouble_of(failed.value) is Trouble.BUSY
    write(store, "A")


def test_writers_with_little_patience_lose_nothing_that_was_acknowledged(store: PostgresStore):
    store._commits.turn_s = 0.001
    done: list[str] = []

    def work(thread: int) -> None:
        for number in range(40):
            with suppress(sqlite3.OperationalError):
                write(store, f"{thread}-{number:02d}", brief=True)
                done.append(f"{thread}-{number:02d}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert 0 < len(done) < 320
    assert prefixes(store) == sorted(done)


def test_the_server_ends_the_transaction_of_a_process_that_is_stopped_and_no_backup(store: PostgresStore):
    setting = "show idle_in_transaction_session_timeout"
    with store.write() as db, store.read() as view:
        assert (db.value(setting), view.value(setting)) == ("30s", "0")


@pytest.mark.parametrize("setting", ["off", "local", "remote_apply"])
def test_a_commit_waits_for_the_disk_whatever_the_server_says(cluster: Cluster, tmp_path: Path, setting: str):
    with cluster.bare() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            name = connection.info.dbname
            connection.execute(f"alter database {name} set synchronous_commit = {setting}".encode())
        store = PostgresStore(url, tmp_path)
        with store.write() as db:
            assert db.value("show synchronous_commit") == ("remote_apply" if setting == "remote_apply" else "on")
        store.close()


@pytest.mark.parametrize(
    "options",
    ["template template0 locale_provider icu icu_locale 'en-US' locale 'C'", "template template0 encoding 'SQL_ASCII'"],
)
def test_a_database_that_would_sort_otherwise_is_refused(cluster: Cluster, tmp_path: Path, options: str):
    with cluster.bare(options) as url, pytest.raises(StoreError, match="createdb"):
        PostgresStore(url, tmp_path)


def test_a_second_service_gets_the_database_when_the_first_has_closed_it(
    url: str, store: PostgresStore, tmp_path: Path
):
    with pytest.raises(InUse, match="another service"):
        PostgresStore(url, tmp_path)
    store.close()
    PostgresStore(url, tmp_path).close()


def test_a_server_that_is_not_there_is_told_without_the_password(tmp_path: Path):
    for url in ("postgresql://me:secret@/hospital?host=/nowhere", "postgresql://me:secret@[/hospital"):
        with pytest.raises(StoreError) as refused:
            PostgresStore(url, tmp_path)
        assert "secret" not in str(refused.value)
