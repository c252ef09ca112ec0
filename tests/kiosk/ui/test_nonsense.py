"""Data that is no request and no command gets an error, and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from kiosk.ui.server import PageServer
from tests.kiosk.ui.conftest import Client, serving
from tests.kiosk.ui.line import Page
from tests.kiosk.ui.staged import StagedCounter
from tests.kiosk.ui.test_api import action


@pytest.fixture(scope="module")
def counter() -> StagedCounter:
    return StagedCounter()


@pytest.fixture(scope="module")
def server(counter: StagedCounter) -> Iterator[PageServer]:
    with serving(counter) as server:
        yield server


NONSENSE = {
    "nothing": b"",
    "no JSON": b"action_type=register",
    "a list": b"[]",
    "null": b"null",
    "no payload": b'{"action_type": "register"}',
    "no patient": b'{"action_type": "register", "payload": {}}',
    "no action": b'{"payload": {"patient_id": "P-1"}}',
    "an action that is a number": b'{"action_type": 5, "payload": {"patient_id": "P-1"}}',
    "an empty action": b'{"action_type": "", "payload": {"patient_id": "P-1"}}',
    "an endless patient": json.dumps(action("register", "P" * 5000)).encode(),
    "an id that is no UUID": json.dumps(action("register", "P-1", action_id="17")).encode(),
    "an id that is a list": json.dumps(action("register", "P-1", action_id=[])).encode(),
    "bytes that are no text": b'{"action_type": "\xff", "payload": {"patient_id": "P-1"}}',
    "half a surrogate": b'{"action_type": "register", "payload": {"patient_id": "\\ud800"}}',
    "a deep nest": b'{"x": ' + b"[" * 15_000,
    "an offer that is a list": json.dumps(action("register", "P-1") | {"offer": []}).encode(),
    "a number out of range": b'{"action_type": 1e999, "payload": {"patient_id": "P-1"}}',
}


@pytest.mark.parametrize("body", NONSENSE.values(), ids=NONSENSE.keys())
def test_nonsense_is_a_bad_request_that_says_so(kiosk: Client, counter: StagedCounter, body: bytes):
    answer = kiosk.post("/api/v1/actions", data=body)
    assert answer.status_code == 400
    assert set(answer.json()) == {"error", "code"}
    assert counter.acts == []


@pytest.mark.parametrize(
    "message",
    [
        "",
        "{",
        "[]",
        "5",
        "{}",
        '{"command": "fly"}',
        '{"command": 5}',
        '{"command": "perform_action"}',
        '{"command": "perform_action", "action_type": "register", "payload": 5}',
        json.dumps({"command": "perform_action", **action("x", "P", action_id="17")}),
        '{"command": "leave"}',
        '{"command": "keep", "stay": 5}',
        '{"command": "pace", "stay": "S", "slow": "very"}',
        b"\xff\xfe",
        '{"command": "ping", "x": ' + "[" * 15_000,
    ],
    ids=str,
)
def test_nonsense_on_the_socket_gets_an_error_and_the_socket_stays(
    server: PageServer, counter: StagedCounter, message: str | bytes
):
    page = Page(server)
    page.hear()
    page.line.send(message)
    error = page.hear()
    assert error["type"] == "error"
    assert error["error"]
    assert error["code"]
    page.say("ping")
    assert page.hear() == {"type": "pong"}
    assert counter.acts == []
    page.close()
