"""The feed over HTTP: pages, a wait that an event ends, a client that leaves, and a stop."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from sync.central.feed.waiting import MOST_WAITING
from sync.journey.model import Role
from tests.sync.central.centre import patient
from tests.sync.central.online import API, Online

EVENTS = f"{API}/events/"


def is_waited() -> bool:
    """Whether a thread looks after calls that wait."""
    return any(each.name == "feed" for each in threading.enumerate())


@pytest.fixture(autouse=True)
def nobody_waits() -> None:
    """The thread of an earlier test has ended."""
    while is_waited():
        pass


@pytest.fixture
def online(tmp_path: Path) -> Iterator[Online]:
    made = Online(tmp_path)
    yield made
    made.close()


@pytest.fixture
def engine(online: Online) -> str:
    return online.centre.token(Role.INTEGRATION, name="Engine")


def read(online: Online, token: str, **query: Any) -> Any:
    answer = online.call("GET", EVENTS, token, params=query)
    assert answer.ok, answer.text
    return answer.json()


def asked(pool: ThreadPoolExecutor, online: Online, token: str, after: str) -> Future[Any]:
    """A call that waits for an event."""
    return pool.submit(read, online, token, after=after, wait=25)


def test_a_page_ends_with_a_cursor_from_which_the_next_one_begins(online: Online, engine: str):
    online.centre.walk(patient(1), "scan_nfc", "register", "confirm_arrival", "call_patient")
    one = read(online, engine, limit=1)
    rest = read(online, engine, after=one["cursor"])
    assert [event["type"] for event in (*one["events"], *rest["events"])] == ["arrived", "number_given", "called"]
    assert (one["more"], rest["more"]) == (True, False)
    assert read(online, engine, after="now") == {"events": [], "cursor": rest["cursor"], "more": False}


def test_a_waiting_call_is_answered_by_what_happens_and_several_wait_at_once(online: Online, engine: str):
    cursor = read(online, engine, after="now")["cursor"]
    with ThreadPoolExecutor(4) as pool:
        waiting = [asked(pool, online, engine, cursor) for _ in range(4)]
        while not is_waited():
            pass
        online.centre.walk(patient(2), "scan_nfc")
        pages = [each.result() for each in waiting]
    assert {(event["type"], event["patient_id"]) for page in pages for event in page["events"]} == {
        ("arrived", patient(2))
    }
    assert all(len(page["events"]) == 1 for page in pages)


def test_a_wait_ends_without_an_event_and_with_the_cursor(online: Online, engine: str):
    cursor = read(online, engine, after="now")["cursor"]
    assert read(online, engine, after=cursor, wait=0.01) == {"events": [], "cursor": cursor, "more": False}


def test_a_change_that_is_no_event_ends_no_wait(online: Online, engine: str):
    online.centre.walk(patient(3), "scan_nfc")
    cursor = read(online, engine, after="now")["cursor"]
    with ThreadPoolExecutor(1) as pool:
        waiting = asked(pool, online, engine, cursor)
        online.centre.walk(patient(3), "register", "confirm_arrival")
        assert [event["type"] for event in waiting.result()["events"]] == ["number_given"]


def test_a_stop_answers_the_calls_that_wait(tmp_path: Path):
    online = Online(tmp_path)
    engine = online.centre.token(Role.INTEGRATION, name="Engine")
    cursor = read(online, engine, after="now")["cursor"]
    with ThreadPoolExecutor(1) as pool:
        waiting = asked(pool, online, engine, cursor)
        while not is_waited():
            pass
        online.close()
        assert waiting.result() == {"events": [], "cursor": cursor, "more": False}


def test_more_calls_than_may_wait_are_answered_at_once(online: Online, engine: str):
    cursor = read(online, engine, after="now")["cursor"]
    with ThreadPoolExecutor(MOST_WAITING + 8) as pool:
        waiting = [asked(pool, online, engine, cursor) for _ in range(MOST_WAITING + 8)]
        done = [each for each in waiting if each.done()]
        while len(done) < 8:
            done = [each for each in waiting if each.done()]
        assert all(each.result()["events"] == [] for each in done)
        online.centre.walk(patient(4), "scan_nfc")
        assert sum(len(each.result()["events"]) for each in waiting) == MOST_WAITING


@pytest.mark.parametrize("query", [{"after": "x"}, {"wait": "26"}, {"wait": "nan"}, {"limit": "0"}, {"limit": "501"}])
def test_a_query_of_another_form_is_refused(online: Online, engine: str, query: dict[str, str]):
    answer: requests.Response = online.call("GET", EVENTS, engine, params=query)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")
