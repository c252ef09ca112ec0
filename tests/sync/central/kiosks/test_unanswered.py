"""A kiosk that calls the centre without an answer to its pulls: found by the check, whichever way is blocked."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sync.central.kiosks.contact import SEEN_EVERY_MS, noted_every_ms
from sync.central.kiosks.push import receive_batch
from sync.central.maintenance.health import UNANSWERED_AFTER_MS, UnansweredKiosk, check
from sync.central.records.kiosks import revoke_kiosk
from sync.clock import ClockReading
from sync.protocol import PullRequest, PushAnswer, PushRequest
from tests.sync.central.wire import Centre, Time

SECOND = 1000


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    made = Centre(tmp_path / "centre.db", Time())
    made.enrol(kiosk_id="lobby")
    yield made
    made.store.close()


def push(centre: Centre) -> None:
    request = PushRequest(
        protocol_version=2,
        site_id=centre.site_id,
        kiosk_id="lobby",
        epoch=1,
        now=ClockReading(centre.time(), 0, "boot", True),
        server_incarnation=1,
        actions=[],
    )
    assert isinstance(receive_batch(centre.parts, "lobby", request), PushAnswer)


def pull(centre: Centre, *, answered: bool) -> None:
    """A pull whose form tells whether the answer before it has arrived."""
    request = PullRequest(
        protocol_version=2, site_id=centre.site_id, kiosk_id="lobby", epoch=1, cursor=0, sealed=not answered
    )
    centre.pull("lobby", request)


def lost_answer(centre: Centre) -> None:
    pull(centre, answered=False)


def for_a_while(centre: Centre, total_ms: int, call: Callable[[Centre], None]) -> None:
    for _ in range(0, total_ms, 25 * SECOND):
        call(centre)
        centre.time.now_ms += 25 * SECOND
    call(centre)


def unanswered(centre: Centre) -> list[UnansweredKiosk]:
    with centre.store.read() as db:
        health = check(db, centre.definitions)
    assert health.ok is not bool(health.unanswered_kiosks)
    return health.unanswered_kiosks


@pytest.mark.parametrize("call", [push, lost_answer], ids=["pulls are refused", "answers are lost"])
def test_a_kiosk_that_calls_for_five_minutes_and_gets_no_page_is_found_until_it_gets_one(
    centre: Centre, call: Callable[[Centre], None]
):
    pull(centre, answered=True)
    centre.time.pass_minutes(3)
    began_ms = centre.time()
    for_a_while(centre, UNANSWERED_AFTER_MS - 60 * SECOND, call)
    assert unanswered(centre) == []
    for_a_while(centre, 2 * 60 * SECOND, call)
    (found,) = unanswered(centre)
    assert (found.kiosk_id, found.since_ms) == ("lobby", began_ms)
    assert found.seen_ms - began_ms >= UNANSWERED_AFTER_MS
    pull(centre, answered=True)
    assert unanswered(centre) == []


def test_a_new_kiosk_that_never_gets_a_page_is_found(centre: Centre):
    for_a_while(centre, 2 * UNANSWERED_AFTER_MS, lost_answer)
    assert [each.kiosk_id for each in unanswered(centre)] == ["lobby"]


def test_a_kiosk_that_pushes_and_pulls_is_not_found(centre: Centre):
    def work(centre: Centre) -> None:
        push(centre)
        pull(centre, answered=True)
        push(centre)

    for_a_while(centre, 3 * UNANSWERED_AFTER_MS, work)
    assert unanswered(centre) == []


def test_a_kiosk_that_comes_back_after_hours_is_not_found(centre: Centre):
    pull(centre, answered=True)
    centre.time.pass_minutes(600)
    push(centre)
    pull(centre, answered=False)
    assert unanswered(centre) == []
    pull(centre, answered=True)
    for_a_while(centre, 2 * UNANSWERED_AFTER_MS, lambda centre: pull(centre, answered=True))
    assert unanswered(centre) == []


def test_a_revoked_kiosk_is_not_found(centre: Centre):
    for_a_while(centre, 2 * UNANSWERED_AFTER_MS, lost_answer)
    with centre.store.write() as db:
        revoke_kiosk(db, "lobby", centre.time())
    assert unanswered(centre) == []


def test_pushes_between_pulls_cause_no_further_write_of_a_pull(centre: Centre):
    pull(centre, answered=True)
    push(centre)
    with sqlite3.connect(centre.path) as other:
        before = other.execute("pragma data_version").fetchone()
        pull(centre, answered=True)
        assert other.execute("pragma data_version").fetchone() == before


def test_kiosks_that_came_together_are_not_noted_together_again():
    times = [noted_every_ms(f"kiosk-{number}") for number in range(1000)]
    assert min(times) > 0
    assert max(times) <= SEEN_EVERY_MS
    a_second = Counter(each // 1000 for each in times)
    assert max(a_second.values()) < 100
