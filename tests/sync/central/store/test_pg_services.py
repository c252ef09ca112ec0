"""Several services on one database of PostgreSQL: turns, news, and who is there."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue

import psycopg
import pytest

from sync.central.store import news
from sync.central.store.errors import InUse, Overtaken
from sync.central.store.news import NewsItem
from sync.central.store.pg_locks import CHANNEL
from sync.central.store.pg_news import Notification, notifications, read_notification
from sync.central.store.postgres import PostgresStore
from sync.central.store.schema import SCHEMA_VERSION
from sync.central.store.share import Share
from sync.central.store.transactions import NEXT_CHANGE, ReadTransaction, WriteTransaction, Writing
from tests.sync.central.databases import Cluster

ADD = Writing("insert into counters (name, value) values (:name, :value)")
Open = Callable[..., PostgresStore]


@pytest.fixture
def url(cluster: Cluster) -> Iterator[str]:
    with cluster.database() as url:
        yield url


@pytest.fixture
def opened(url: str, tmp_path: Path) -> Iterator[Open]:
    """Opens the store of one more host, or what `share` says on the host of that name."""
    with contextlib.ExitStack() as stack:

        def open_store(host: str, share: Share = Share.HOST) -> PostgresStore:
            return stack.enter_context(contextlib.closing(PostgresStore(url, tmp_path / host, share=share)))

        for host in ("one", "two"):
            (tmp_path / host).mkdir()
        yield open_store


def change(store: PostgresStore, patient_id: str = "P1") -> int:
    with store.write() as db:
        number = db.next_change()
        db.announce(number, patient_id, "register", "an-id")
    return number


def heard_by(stack: contextlib.ExitStack, store: PostgresStore, topic: str = "P1") -> SimpleQueue[NewsItem]:
    """What a store's listener hears of a topic."""
    found: SimpleQueue[NewsItem] = SimpleQueue()
    stack.enter_context(store.news.listen(topic, found.put))
    return found


def add(db: WriteTransaction, name: str) -> None:
    """A change with a row that bears its number."""
    number = db.next_change()
    db.write(ADD, {"name": name, "value": number})
    db.announce(number, "P1", name)


def end_sessions(url: str) -> None:
    """Ends the connections that wait for news, as a server does at its stop."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid, 60000) from pg_stat_activity where query ilike 'listen%'"
            " or (query ilike '%advisory%' and state = 'idle' and pid <> pg_backend_pid())"
        )


def test_a_transaction_waits_for_that_of_another_service_and_sees_it(opened: Open):
    one, two = opened("one"), opened("two")
    taken: list[int] = []
    with one.write() as db:
        waiting = threading.Thread(target=lambda: taken.append(change(two)))
        waiting.start()
        taken.append(db.next_change())
    waiting.join()
    assert taken == [1, 2]


def test_the_news_of_one_service_are_heard_at_the_others_and_once_at_its_own(opened: Open):
    one, two = opened("one"), opened("two")
    with contextlib.ExitStack() as stack:
        at_one, at_two = heard_by(stack, one), heard_by(stack, two)
        for store in (one, two):
            expected = news.PatientChanged(change(store), "P1", "register", "an-id")
            assert (at_one.get(timeout=30), at_two.get(timeout=30)) == (expected, expected)
        change(one)
        assert at_two.get(timeout=30).number == 3, "all that was told before has come"
        assert (at_one.get(timeout=30).number, at_one.empty()) == (3, True)


def test_an_undone_transaction_tells_nobody(opened: Open):
    one, two = opened("one"), opened("two")
    with contextlib.ExitStack() as stack:
        at_two = heard_by(stack, two)
        with pytest.raises(ZeroDivisionError), one.write() as db:
            db.announce(db.next_change() // 0, "P1")
        assert change(one) == 1
        assert (at_two.get(timeout=30).action, at_two.empty()) == ("register", True)


def test_transactions_that_share_a_commit_tell_all_their_news(opened: Open):
    one, two = opened("one"), opened("two")
    one._commits.shared_s = 60.0
    with contextlib.ExitStack() as stack:
        at_two = heard_by(stack, two)

        def work() -> None:
            for _ in range(5):
                with one.write(brief=True) as db:
                    db.announce(db.next_change(), "P1")

        threads = [threading.Thread(target=work) for _ in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert [at_two.get(timeout=30).number for _ in range(20)] == list(range(1, 21))


@pytest.mark.parametrize("number", [100, 1000])
def test_the_news_of_a_large_commit_reach_every_listener(opened: Open, number: int):
    one, two = opened("one"), opened("two")
    with contextlib.ExitStack() as stack:
        at_two = heard_by(stack, two, f"P{number}")
        with one.write() as db:
            for each in range(1, number + 1):
                db.announce(db.next_change(), f"P{each}", "register", "01890000-0000-7000-8000-000000000000")
        item = at_two.get(timeout=30)
        assert (item.number, item.topic, two.news.latest) == (number, f"P{number}", number)


def test_an_item_of_each_kind_comes_as_it_was_told():
    items: list[NewsItem] = [
        news.PatientChanged(1, "P1", "register", "an-id"),
        news.PatientChanged(2, "환자 1"),
        news.TokenRevoked("a-hash", 3),
        news.VerdictRevised(4),
        news.BlockChanged(5),
        news.CardKeyPublished(6),
        news.KiosksToTell(7),
        news.TimeConfirmed(0, "a-host"),
        news.CommonChanged(),
        news.CaseChanged("a-case"),
    ]
    (text,) = notifications("me", items)
    found = read_notification(text)
    assert found is not None
    assert (found.sender, found.up_to, found.news()) == ("me", 7, items)


@pytest.mark.parametrize("text", ["", "{", "[]", '["me"]', '["me", 1, [["Unknown"]]]'])
def test_what_no_service_has_told_is_left_alone(text: str):
    assert read_notification(text) is None


def test_the_news_of_a_newer_version_are_left_out():
    found = read_notification('["me", 1, [["Unknown", 1], ["BlockChanged", 2]]]')
    assert found == Notification("me", 1, found.items if found else [])
    assert found.news() == [news.BlockChanged(2)]


def test_a_foreign_notification_disturbs_nobody(url: str, opened: Open):
    one, two = opened("one"), opened("two")
    with contextlib.ExitStack() as stack:
        at_two = heard_by(stack, two)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("select pg_notify(%s, 'hello')", (CHANNEL,))
        change(one)
        assert at_two.get(timeout=30).number == 1


def test_a_listener_that_fails_keeps_no_later_news_from_the_others(opened: Open, caplog: pytest.LogCaptureFixture):
    one, two = opened("one"), opened("two")

    def fail(_: NewsItem) -> None:
        raise ZeroDivisionError

    with two.news.listen("P1", fail), contextlib.ExitStack() as stack:
        at_two = heard_by(stack, two, "P2")
        change(one)
        change(one, "P2")
        assert at_two.get(timeout=30).number == 2
    assert [record.message for record in caplog.records] == ["news of another service were not passed on"]
    assert two.leads()


def test_after_a_gap_every_listener_looks_again_and_hears_on(url: str, opened: Open):
    one, two = opened("one"), opened("two")
    assert one.leads()
    with contextlib.ExitStack() as stack:
        at_two = heard_by(stack, two)
        end_sessions(url)
        assert isinstance(at_two.get(timeout=60), news.Missed)
        number = change(one)
        found = at_two.get(timeout=60)
        while not isinstance(found, news.PatientChanged):  # what was missed may be told once more
            found = at_two.get(timeout=60)
        assert found.number == number


def test_a_host_has_one_service_and_many_workers(opened: Open):
    opened("one")
    with pytest.raises(InUse, match="state directory"):
        opened("one")
    opened("one", Share.WORKER)
    opened("one", Share.WORKER)
    opened("two")


def test_hosts_know_of_each_other_and_workers_are_none(opened: Open):
    one = opened("one")
    worker = opened("one", Share.WORKER)
    assert not one.has_other_hosts()
    two = opened("two")
    assert one.has_other_hosts()
    assert two.has_other_hosts()
    one.close()
    assert not two.has_other_hosts()
    assert change(worker) == 1


def test_one_process_alone_and_services_keep_each_other_out(opened: Open):
    one = opened("one")
    with pytest.raises(InUse):
        opened("two", Share.ALONE)
    one.close()
    alone = opened("two", Share.ALONE)
    assert change(alone) == 1
    for share in (Share.HOST, Share.WORKER, Share.ALONE):
        with pytest.raises(InUse):
            opened("one", share)
    alone.close()
    assert change(opened("one")) == 2


def test_one_service_does_the_background_work_and_the_next_one_after_it(url: str, opened: Open):
    one, two = opened("one"), opened("two")
    assert [one.leads(), two.leads(), one.leads()] == [True, False, True]
    one.close()
    assert two.leads()
    end_sessions(url)
    two.leads()  # may be False until the connection is there again
    while not two.leads():
        pass


def test_older_tables_are_changed_by_a_service_that_is_alone(url: str, opened: Open):
    one = opened("one")
    with one.write() as db:
        db.execute("delete from schema_version where version = :newest", {"newest": SCHEMA_VERSION})
    with pytest.raises(InUse, match="older version"):
        opened("two")


def test_a_service_reads_again_what_another_one_has_changed_before_it_writes(opened: Open):
    one, two = opened("one"), opened("two")
    seen: list[int] = []

    def reread(db: ReadTransaction) -> bool:
        seen.append(db.latest_change())
        return len(seen) == 2

    two.heed(reread, lambda _: None)
    for expected in ([1], [1, 4]):
        with one.write() as db:
            db.next_change()
            db.note_common_change()
        change(two)
        change(two)
        assert (seen, two.tend()) == (expected, len(expected) == 2)


def test_a_reading_that_fails_is_tried_again_and_nothing_is_written_before(opened: Open):
    one, two = opened("one"), opened("two")
    failing, done = threading.Event(), threading.Event()
    failing.set()

    def reread(_: ReadTransaction) -> bool:
        if failing.is_set():
            raise Overtaken("not now")
        done.set()
        return False

    two.heed(reread, lambda _: None)
    with one.write() as db:
        db.note_common_change()
    for _ in range(2):
        with pytest.raises(Overtaken):
            change(two)
    failing.clear()
    assert change(two) == 1
    assert (done.is_set(), two.tend()) == (True, False)


def test_a_database_that_lost_changes_is_noticed_before_the_next_one(url: str, opened: Open):
    one = opened("one")
    for _ in range(5):
        change(one)
    found: list[int] = []

    def set_back(db: WriteTransaction) -> None:
        found.append(db.latest_change())
        db.set_counter("noticed", 1)

    one.heed(lambda _: False, set_back)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("update counters set value = 3 where name = 'change'")
    assert change(one) == 4
    assert change(one) == 5
    assert found == [3]
    with one.read() as db:
        assert db.counter("noticed") == 1


def test_transactions_beside_each_other_number_in_the_order_of_their_commits(opened: Open):
    one, two = opened("one"), opened("two")
    with contextlib.ExitStack() as stack:
        heard = heard_by(stack, one)
        with one.write(brief=True, beside=True) as here:
            add(here, "one")
            with two.write(brief=True, beside=True) as there:
                add(there, "two")
        found = {heard.get(timeout=30) for _ in range(2)}
    assert found == {news.PatientChanged(1, "P1", "two"), news.PatientChanged(2, "P1", "one")}
    with one.read() as db:
        assert (db.counter("two"), db.counter("one"), db.latest_change()) == (1, 2, 2)


def test_a_transaction_beside_others_knows_whether_one_came_before_it(opened: Open):
    one, two = opened("one"), opened("two")
    with one.write(brief=True, beside=True) as here:
        with pytest.raises(Overtaken):
            here.demand_turn()
        with two.write(brief=True, beside=True) as there:
            assert there.has_overtaken_nobody(there.value(NEXT_CHANGE))
        assert not here.has_overtaken_nobody(here.value(NEXT_CHANGE))


def test_a_transaction_in_turn_waits_for_those_beside_each_other(opened: Open):
    one, two = opened("one"), opened("two")
    taken: list[str] = []

    def in_turn() -> None:
        with two.write():
            taken.append("in turn")

    with one.write(brief=True, beside=True):
        waiting = threading.Thread(target=in_turn)
        waiting.start()
        taken.append("beside")
    waiting.join()
    assert taken == ["beside", "in turn"]
