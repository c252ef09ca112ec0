"""A kiosk whose store holds rules that its program cannot read: the daemon starts, serves and pulls them again."""

from __future__ import annotations

import sqlite3

import pytest

from kiosk.demo.hospital import wait_for
from sync.journey.definitions import shipped
from tests.whole.town import WAIT_S, Town

pytestmark = pytest.mark.processes


def stored(town: Town, sql: str) -> list[tuple[object, ...]]:
    db = sqlite3.connect(town.places.directory / "kiosk.db")
    try:
        with db:
            return db.execute(sql).fetchall()
    finally:
        db.close()


def test_a_daemon_serves_by_the_shipped_rules_until_it_has_pulled_its_unreadable_ones_again(town: Town):
    town.go_offline()
    first, second = town.people[:2]
    town.tap(first)
    assert town.kiosk is not None
    town.kiosk.stop()
    stored(town, "update identity set definitions = '{\"version\": 7}', definitions_version = 7")
    town.start_kiosk()
    town.tap(second)
    assert town.screen()["journey"]["journey_state"] == "ARRIVED"
    town.wire.mend()
    town.await_online()
    town.await_settled()
    assert [town.state(person)["journey_state"] for person in (first, second)] == ["ARRIVED", "ARRIVED"]
    version = "select definitions_version, definitions ->> 'initial' from identity"
    wait_for(lambda: stored(town, version) == [(shipped().version, "UNREGISTERED")], "they never came", WAIT_S)
    assert stored(town, "select count(*) from audit where kind = 'definitions'") == [(1,)]
