"""Several hosts and workers of one centre on one database of PostgreSQL."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from time import sleep
from typing import Any

import pytest

from sync.cards import load_or_make_keys
from sync.central.centre import Centre
from sync.central.maintenance.card_rotation import begin_rotation, walk_on
from sync.central.maintenance.housekeeping import Housekeeping
from sync.central.maintenance.incarnation import host_id, update_marker
from sync.central.maintenance.timekeeper import Timekeeper, following
from sync.central.opening import open_centre
from sync.central.operations.catalog import operations
from sync.central.records.incarnation import read_incarnation
from sync.central.services.perform_action import perform
from sync.central.services.requester import Requester
from sync.central.services.requests import ActionRequest
from sync.central.services.take_word import take_word
from sync.central.services.word_bodies import read_word
from sync.central.store.errors import StoreError
from sync.clock import MINUTE_MS
from sync.control import ControlError
from sync.ids import new_id
from sync.journey.definitions import Definitions, read, shipped
from sync.journey.model import PATIENT, Actor, Role
from tests.sync.central.centre import DAY, Clock, hospital, patient, take_document
from tests.sync.central.databases import Cluster
from tests.sync.central.hearing import Hearing

Open = Callable[..., Centre]


@pytest.fixture
def opened(cluster: Cluster, tmp_path: Path) -> Iterator[Open]:
    """Opens the centre on a host of that name. Each host has a copy of the first one's key file."""
    with cluster.database() as url, contextlib.ExitStack() as stack:

        def open_on(host: str, **options: Any) -> Centre:
            (tmp_path / host).mkdir(exist_ok=True)
            keys = tmp_path / host / "central.keys"
            if (tmp_path / "one/central.keys").exists() and not keys.exists():
                shutil.copy(tmp_path / "one/central.keys", keys)
            centre = replace(open_centre(url, state_dir=tmp_path / host, patience_s=0, **options), clock=Clock())
            return stack.enter_context(_closing(centre))

        yield open_on


@contextlib.contextmanager
def _closing(centre: Centre) -> Iterator[Centre]:
    try:
        yield centre
    finally:
        centre.store.close()


def act(centre: Centre, patient_id: str, action: str, action_id: str | None = None) -> int:
    """The status of a patient's action."""
    request = ActionRequest(action, action_id or new_id(), {})
    return perform(centre, Requester(PATIENT, PATIENT.role, "rest"), patient_id, request).status


def incarnation(centre: Centre) -> str:
    with centre.store.read() as db:
        found = read_incarnation(db)
    assert found is not None
    return found.server_incarnation


def newer_rules() -> Definitions:
    return read(dict(shipped().document) | {"version": shipped().version + 1})


def test_what_one_host_does_counts_at_the_others(opened: Open):
    one, two = opened("one"), opened("two")
    take_document(one, hospital(DAY, 3))
    action_id = new_id()
    assert act(one, patient(1), "scan_nfc", action_id) == 200
    assert act(two, patient(1), "scan_nfc", action_id) == 200, "a repeat"
    assert act(two, patient(1), "scan_nfc") == 400, "it has been done"
    assert act(two, patient(1), "register") == 200
    assert act(one, patient(1), "confirm_arrival") == 200


def test_what_another_system_decides_at_one_host_it_decides_at_all(opened: Open):
    one, two = opened("one"), opened("two")
    take_document(one, hospital(DAY, 3))
    operations(one)["site"]({"decides": ["scan_nfc=legacy"]})
    assert act(two, patient(1), "scan_nfc") == 409
    told = {"word_id": new_id(), "patient_id": patient(1), "action_type": "scan_nfc", "from": "UNREGISTERED"}
    word = read_word({**told, "to": "ARRIVED", "at": two.clock()})
    assert isinstance(word, ActionRequest)
    other_system = Requester(Actor(Role.INTEGRATION), "integration:old", "legacy")
    assert take_word(two, other_system, word) == take_word(one, other_system, word), "a repeat is one word"
    with one.store.read() as db:
        assert db.value("select count(*) from shadow_words") == 1
    operations(two)["site"]({"decides": ["scan_nfc=new"]})
    assert act(one, patient(2), "scan_nfc") == 200


def test_the_start_of_one_host_is_no_restore_for_the_others(opened: Open):
    one = opened("one")
    first = incarnation(one)
    two = opened("two")
    assert incarnation(two) == first
    for host, centre in (("one", one), ("two", two)):
        take_document(centre, hospital(DAY, 3))
        update_marker(centre.store)
        centre.store.close()
        assert incarnation(opened(host)) == first
    assert host_id(one.store.place.state) != host_id(two.store.place.state)


def test_a_restore_is_noticed_by_the_first_host_and_the_next_one_joins(opened: Open):
    one, two = opened("one"), opened("two")
    first = incarnation(one)
    with one.store.write() as db:
        db.execute("delete from openings")  # as in a copy
    one.store.close()
    two.store.close()
    two = opened("two")
    second = incarnation(two)
    assert second != first
    assert incarnation(opened("one")) == second


def test_a_host_that_nobody_knows_at_a_database_that_nobody_serves_counts_as_a_restore(opened: Open):
    one = opened("one")
    first = incarnation(one)
    one.store.close()
    assert incarnation(opened("two")) != first


def test_a_host_without_the_keys_of_the_others_does_not_start(opened: Open, tmp_path: Path):
    opened("one")
    (tmp_path / "two").mkdir()
    load_or_make_keys(tmp_path / "two/central.keys")
    with pytest.raises(StoreError, match="key file"):
        opened("two")


def test_a_lost_tail_is_a_restore_that_one_of_the_services_notices(opened: Open):
    one, two = opened("one"), opened("two")
    first = incarnation(one)
    take_document(one, hospital(DAY, 3))
    for centre in (one, two, one):
        with centre.store.write() as db:
            db.next_change()
    with one.store.write() as db:
        db.execute("update counters set value = value - 3 where name = 'change'")
    assert act(two, patient(3), "scan_nfc") == 200
    second = incarnation(one)
    assert second != first
    assert act(one, patient(3), "register") == 200
    assert incarnation(two) == second, "once"


def test_a_worker_has_the_card_keys_that_its_host_has_made(opened: Open):
    one = opened("one")
    worker = opened("one", is_main=False)
    take_document(one, hospital(DAY, 3))
    newest = begin_rotation(one, "operator")
    with worker.store.write():
        assert (worker.keys.known.newest, worker.keys.published.newest) == (newest, worker.keys.known.ids[0])
        assert worker.keys.in_rows == one.keys.in_rows == worker.keys.known.ids
    walk_on(one)
    with worker.store.write():
        assert (worker.keys.published.newest, worker.keys.in_rows) == (newest, (newest,))
    assert not worker.store.tend()


def test_a_worker_that_only_reads_takes_the_card_keys_too(opened: Open):
    one = opened("one")
    worker = opened("one", is_main=False)
    take_document(one, hospital(DAY, 3))
    newest = begin_rotation(one, "operator")
    walk_on(one)
    while worker.keys.in_rows != (newest,):  # the test's own time limit ends a wait in vain
        sleep(0.01)


def test_the_walk_of_a_rotation_goes_on_at_a_worker(opened: Open):
    one = opened("one")
    worker = opened("one", is_main=False)
    take_document(one, hospital(DAY, 3))
    newest = begin_rotation(one, "operator")
    with worker.store.write():
        pass  # takes the keys
    walk_on(worker)
    with one.store.write():
        assert (one.keys.published.newest, one.keys.in_rows) == (newest, (newest,))


def test_card_keys_are_not_rotated_while_another_host_serves(opened: Open, tmp_path: Path):
    one, two = opened("one"), opened("two")
    before = (tmp_path / "one/central.keys").read_bytes()
    with pytest.raises(ControlError, match=r"copy .*central\.keys to them"):
        operations(one)["card-keys-begin"]({})
    assert (tmp_path / "one/central.keys").read_bytes() == before
    two.store.close()
    newest = operations(one)["card-keys-begin"]({})
    walk_on(one)
    with pytest.raises(StoreError, match="not the key file"):
        opened("two")
    shutil.copy(tmp_path / "one/central.keys", tmp_path / "two/central.keys")
    assert opened("two").keys.published.newest == newest


def test_a_service_with_older_definitions_ends_where_another_host_has_brought_newer_ones(opened: Open):
    one, two = opened("one"), opened("two")
    take_document(one, hospital(DAY, 3))
    two.store.close()
    two = opened("two", definitions=newer_rules())
    assert act(one, patient(1), "scan_nfc") == 200
    assert one.store.tend(), "the next start takes them"
    one.store.close()
    assert opened("one").definitions.version == two.definitions.version == newer_rules().version
    assert not two.store.tend()


def test_one_service_ends_the_day_and_another_one_goes_on_for_it(opened: Open):
    one, two = opened("one"), opened("two")
    take_document(one, hospital(DAY, 3))
    assert act(one, patient(1), "scan_nfc") == 200
    assert one.store.leads()
    for centre in (one, two):
        centre.clock.set("2026-03-03", "05:00")
    idle = Housekeeping(two, tick_s=0.01)
    hearing = Hearing(two.store.news)
    with two.store.read() as db:
        after = db.latest_change()
    idle.start()
    assert not hearing.wait(after, timeout_s=0.2)
    one.store.close()
    assert hearing.wait(after, timeout_s=30)
    idle.stop()


def test_all_hosts_have_the_time_of_the_server_at_their_start(opened: Open):
    centre = opened("one")
    server_ms = centre.store.server_ms()
    wrong_ms = server_ms + 60 * MINUTE_MS
    keeper = Timekeeper(lambda: (wrong_ms, 5), None, lambda: False, server_ms)
    assert (keeper(), keeper.doubt is not None) == (server_ms, True)


def test_a_person_who_confirms_the_clock_confirms_it_for_each_worker_of_the_host_alone(opened: Open):
    one, two = opened("one"), opened("two")
    worker = opened("one", is_main=False)
    take_document(one, hospital(DAY, 1))
    wall_ms = [1_772_409_600_000]
    keepers = [Timekeeper(lambda: (wall_ms[0], 5), None, lambda: False) for _ in range(3)]
    parts = [replace(centre, clock=keeper) for centre, keeper in zip((one, worker, two), keepers, strict=True)]
    wall_ms[0] += 60 * MINUTE_MS
    assert all(keeper.doubt for keeper in keepers)
    hearing = [Hearing(each.store.news) for each in parts]
    with contextlib.ExitStack() as stack:
        for each in parts:
            stack.enter_context(following(each.store.news, host_id(each.store.place.state), each.clock))
        operations(parts[0])["clock"]({"believe": True})
        assert act(parts[0], patient(1), "scan_nfc") == 200
        for each in hearing:  # news come in the order of the commits
            assert each.wait(after=0, timeout_s=30)
            assert each.wait(after=parts[0].store.news.latest - 1, timeout_s=30)
    assert [keeper.doubt is None for keeper in keepers] == [True, True, False]
