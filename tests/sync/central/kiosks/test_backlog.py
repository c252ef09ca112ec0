"""What a pull tells of the waiting actions: kept for each kiosk, and found by the check where nothing arrives."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.central.maintenance.health import STUCK_AFTER_MS, StuckKiosk, check
from sync.central.operations.catalog import operations
from sync.central.records.backlogs import ON_ITS_WAY_MS, KioskBacklog, read_backlog
from sync.central.records.kiosks import revoke_kiosk
from sync.protocol import Backlog, CallRefused, PullAnswer, PullRequest
from tests.sync.central.wire import Centre, Time

SECOND = 1000
OLD_MS = ON_ITS_WAY_MS + SECOND


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    made = Centre(tmp_path / "centre.db", Time())
    made.enrol(kiosk_id="lobby")
    yield made
    made.store.close()


def pull(centre: Centre, backlog: Backlog | None, kiosk_id: str = "lobby") -> PullAnswer | CallRefused:
    request = PullRequest(
        protocol_version=2, site_id=centre.site_id, kiosk_id=kiosk_id, epoch=1, cursor=0, backlog=backlog
    )
    return centre.pull(kiosk_id, request)


def waiting(oldest: int = 7, age_ms: int = OLD_MS, parked: int = 0, number: int = 3) -> Backlog:
    return Backlog(waiting=number, oldest=oldest, age_ms=age_ms, parked=parked)


def kept(centre: Centre) -> KioskBacklog | None:
    with centre.store.read() as db:
        return read_backlog(db, "lobby")


def stuck(centre: Centre) -> list[StuckKiosk]:
    with centre.store.read() as db:
        health = check(db, centre.definitions)
    assert health.ok is not bool(health.stuck_kiosks)
    return health.stuck_kiosks


def test_a_pull_tells_how_much_waits_and_since_when_by_the_centres_clock(centre: Centre):
    pull(centre, waiting())
    found = kept(centre)
    assert found is not None
    assert (found.waiting, found.since_ms, found.parked) == (3, centre.time() - OLD_MS, 0)
    listed = operations(centre.parts)["kiosks"]({})
    assert [each["backlog"]["waiting"] for each in listed] == [3]


def test_a_young_action_is_on_its_way_and_no_backlog(centre: Centre):
    pull(centre, waiting(age_ms=ON_ITS_WAY_MS - 1))
    assert kept(centre) is None


def test_a_pull_without_a_backlog_ends_it(centre: Centre):
    pull(centre, waiting())
    pull(centre, None)
    assert kept(centre) is None
    assert operations(centre.parts)["kiosks"]({})[0]["backlog"] is None


def pull_for(centre: Centre, total_ms: int, backlog: Backlog) -> None:
    """Pulls with this backlog every 25 seconds."""
    for _ in range(0, total_ms, 25 * SECOND):
        pull(centre, backlog)
        centre.time.now_ms += 25 * SECOND
    pull(centre, backlog)


def test_a_kiosk_that_tells_the_same_oldest_action_for_five_minutes_is_stuck(centre: Centre):
    pull_for(centre, STUCK_AFTER_MS - 60 * SECOND, waiting())
    assert stuck(centre) == []
    pull_for(centre, 2 * 60 * SECOND, waiting())
    (found,) = stuck(centre)
    assert (found.kiosk_id, found.waiting, found.parked) == ("lobby", 3, 0)


def test_a_kiosk_that_works_off_a_long_backlog_is_not_stuck(centre: Centre):
    for oldest in range(30):
        pull(centre, waiting(oldest=oldest, age_ms=3_600_000, number=1000 - oldest))
        centre.time.now_ms += 25 * SECOND
    assert stuck(centre) == []


def test_a_kiosk_without_a_network_is_not_stuck(centre: Centre):
    pull(centre, waiting())
    centre.time.pass_minutes(600)
    assert stuck(centre) == []


def test_refused_actions_are_told_at_once_and_until_the_kiosk_is_revoked(centre: Centre):
    pull(centre, waiting(age_ms=0, parked=2))
    assert [(each.waiting, each.parked) for each in stuck(centre)] == [(3, 2)]
    with centre.store.write() as db:
        revoke_kiosk(db, "lobby", centre.time())
    assert stuck(centre) == []


def test_a_revoked_kiosk_writes_no_backlog(centre: Centre):
    with centre.store.write() as db:
        revoke_kiosk(db, "lobby", centre.time())
    assert isinstance(pull(centre, waiting(parked=1)), CallRefused)
    assert kept(centre) is None


def test_any_number_that_a_kiosk_claims_can_be_kept(centre: Centre):
    pull(centre, Backlog(waiting=2**70, oldest=-(2**70), age_ms=2**70, parked=2**70))
    found = kept(centre)
    assert found is not None
    assert (found.waiting, found.since_ms, found.oldest) == (2**53, 0, 0)


def test_a_pull_that_tells_nothing_new_writes_nothing(centre: Centre):
    pull(centre, waiting())
    with sqlite3.connect(centre.path) as other:
        before = other.execute("pragma data_version").fetchone()
        pull(centre, waiting())
        assert other.execute("pragma data_version").fetchone() == before
        pull(centre, waiting(oldest=8))
        assert other.execute("pragma data_version").fetchone() != before
