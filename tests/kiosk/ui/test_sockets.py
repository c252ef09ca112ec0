"""The page's WebSocket, spoken by a real client over a real socket."""

from __future__ import annotations

import json
import logging
import socket
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from simple_websocket import ConnectionClosed
from simple_websocket.errors import ConnectionError as Refused

from kiosk.front.screen import Screen
from kiosk.ui.server import PageServer
from tests.kiosk.ui.admitted import cookie_of
from tests.kiosk.ui.conftest import serving
from tests.kiosk.ui.line import Page
from tests.kiosk.ui.staged import HONG, NAMGUNG, StagedCounter


@pytest.fixture
def page(server: PageServer) -> Iterator[Page]:
    page = Page(server)
    yield page
    page.close()


def act(page: Page, shown: Screen, patient_id: str = HONG.patient_id, action_id: str | None = None) -> dict[str, Any]:
    """Presses the button of a screen, for that patient."""
    body = {"action_type": shown.next_action, "payload": {"patient_id": patient_id}, "offer": shown.offer}
    page.say("perform_action", **body, action_id=action_id)
    return page.hear_until("action_result")


def test_the_whole_screen_comes_first(page: Page, counter: StagedCounter):
    assert page.hear() == {"type": "initial_state", "payload": json.loads(msgspec.json.encode(counter.screen()))}


def test_every_change_comes_by_itself(page: Page, counter: StagedCounter):
    page.hear()
    shown = counter.tap(HONG)
    assert page.hear() == {"type": "state_update", "payload": json.loads(msgspec.json.encode(shown))}


def test_a_page_that_is_slow_to_read_gets_the_newest_screen_and_no_flood(page: Page, counter: StagedCounter):
    page.hear()
    for _ in range(200):
        last = counter.tap(HONG)
    frames = []
    while not frames or frames[-1] != last.frame:
        frames.append(page.hear()["payload"]["frame"])
    assert frames == sorted(set(frames))


def test_the_state_can_be_asked_for(page: Page, counter: StagedCounter):
    page.hear()
    page.say("fetch_initial_state")
    assert page.hear()["type"] == "initial_state"


def test_a_ping_is_answered(page: Page):
    page.hear()
    page.say("ping")
    assert page.hear() == {"type": "pong"}


def test_an_action_is_answered_with_its_id_and_the_state_after_it(page: Page, counter: StagedCounter):
    shown = counter.tap(HONG)
    action_id = str(uuid.uuid4())
    result = act(page, shown, action_id=action_id)
    assert result["success"] is True
    assert result["action_id"] == action_id
    assert result["payload"]["journey"]["journey_state"] == "REGISTERED"


def test_a_repeat_over_the_socket_does_nothing_again(page: Page, counter: StagedCounter):
    shown = counter.tap(HONG)
    action_id = str(uuid.uuid4())
    first = act(page, shown, action_id=action_id)
    assert act(page, shown, action_id=action_id) == first
    assert counter.screen().frame == first["payload"]["frame"]


def test_a_refused_action_says_why_and_what_is_shown(page: Page, counter: StagedCounter):
    shown = counter.tap(HONG)
    action_id = str(uuid.uuid4())
    result = act(page, shown, NAMGUNG.patient_id, action_id)
    assert result["success"] is False
    assert result["code"] == "conflict"
    assert result["action_id"] == action_id
    assert result["payload"]["patient"]["patient_id"] == HONG.patient_id


def test_keep_and_leave_answer_with_the_state(page: Page, counter: StagedCounter):
    stay = counter.tap(HONG).stay
    page.hear_until("initial_state")
    page.say("keep", stay=stay)
    while page.hear_until("state_update")["payload"]["keeps_left"] != 9:
        pass
    page.say("pace", stay=stay, slow=True)
    while not page.hear_until("state_update")["payload"]["slow"]:
        pass
    page.say("touch", stay=stay)
    page.say("leave", stay=stay)
    while page.hear_until("state_update")["payload"]["screen"] != "attract":
        pass
    assert (counter.keeps, counter.touches) == (1, [stay])


def test_a_message_over_the_limit_ends_the_socket(page: Page):
    page.hear()
    page.say("ping", filling="x" * 20_000)
    with pytest.raises(ConnectionClosed) as closed:
        page.hear()
    assert closed.value.reason == 1009


def test_what_breaks_is_told_in_a_sentence_and_the_socket_stays(
    page: Page, counter: StagedCounter, caplog: pytest.LogCaptureFixture
):
    page.hear()
    shown = counter.tap(HONG)
    page.hear()
    counter.breakage = RuntimeError("the staged breakage")
    with caplog.at_level(logging.ERROR):
        action_id = str(uuid.uuid4())
        result = act(page, shown, action_id=action_id)
        page.say("fetch_initial_state")
        error = page.hear()
    assert (result["success"], result["code"], result["action_id"]) == (False, "internal", action_id)
    assert (error["type"], error["code"]) == ("error", "internal")
    assert "the staged breakage" in caplog.text
    counter.breakage = None
    page.say("fetch_initial_state")
    assert page.hear()["type"] == "initial_state"


def test_a_screen_that_cannot_be_told_ends_the_socket(
    server: PageServer, counter: StagedCounter, caplog: pytest.LogCaptureFixture
):
    counter.breakage = RuntimeError("the staged breakage")
    with caplog.at_level(logging.ERROR), pytest.raises(ConnectionClosed) as closed:
        Page(server).hear()
    assert closed.value.reason == 1001


def test_the_end_of_the_news_is_the_end_of_the_socket(page: Page, counter: StagedCounter):
    page.hear()
    counter.hang_up()
    with pytest.raises(ConnectionClosed) as closed:
        page.hear()
    assert closed.value.reason == 1001


def test_two_pages_see_the_same(server: PageServer, counter: StagedCounter):
    pages = [Page(server), Page(server)]
    for page in pages:
        page.hear()
    shown = counter.tap(HONG)
    result = act(pages[0], shown)
    while (heard := pages[1].hear_until("state_update")["payload"])["frame"] < result["payload"]["frame"]:
        pass
    assert heard == result["payload"]
    for page in pages:
        page.close()


def test_a_flood_of_commands_waits_its_turn_and_delays_no_other_page(server: PageServer, counter: StagedCounter):
    shown = counter.tap(HONG)
    counter.gate.clear()
    page = Page(server)
    body = {"action_type": "register", "payload": {"patient_id": HONG.patient_id}, "offer": shown.offer}
    page.say("perform_action", **body)
    # The first command waits at the gate, and the rest wait behind it.
    for _ in range(500):
        page.say("ping")
    other = Page(server)
    assert other.hear()["type"] == "initial_state"
    counter.gate.set()
    for _ in range(500):
        assert page.hear_until("pong") == {"type": "pong"}
    other.say("ping")
    assert other.hear_until("pong") == {"type": "pong"}
    other.close()


@pytest.fixture
def small(counter: StagedCounter) -> Iterator[PageServer]:
    with serving(counter, max_sockets=1) as server:
        yield server


def test_no_more_sockets_open_than_there_are_places(small: PageServer):
    first = Page(small)
    first.hear()
    with pytest.raises(Refused) as refused:
        Page(small)
    assert "503" in str(refused.value)
    first.close()
    _await_place(small).close()


def test_a_page_that_vanishes_gives_its_place_back(small: PageServer):
    first = Page(small)
    first.hear()
    first.line.sock.shutdown(socket.SHUT_RDWR)
    second = _await_place(small)
    with pytest.raises(Refused):  # one place and not two
        Page(small)
    second.close()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-WebSocket-Version": "13"},
        {"Sec-WebSocket-Version": "8", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="},
        {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "seventeen"},
        {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "c2V2ZW50ZWVu"},
        {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "X-Odd": "a\x00b"},
    ],
    ids=["no version", "no key", "an old version", "a key that is none", "a short key", "an odd header"],
)
def test_half_a_handshake_is_a_bad_request(server: PageServer, headers: dict[str, str]):
    lines = ["GET /ws HTTP/1.1", "Host: 127.0.0.1", "Upgrade: websocket", "Connection: Upgrade"]
    lines += [f"{name}: {value}" for name, value in (headers | cookie_of(server.port)).items()]
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as raw:
        raw.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
        answer = b""
        while chunk := raw.recv(4096):
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"code"' in answer


def test_nothing_follows_the_last_frame(server: PageServer, counter: StagedCounter):
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as raw:
        raw.sendall(
            b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            b"Cookie: " + cookie_of(server.port)["Cookie"].encode() + b"\r\n\r\n"
        )
        heard = raw.recv(65536)
        while b"initial_state" not in heard:
            heard += raw.recv(65536)
        counter.hang_up()
        while chunk := raw.recv(4096):
            heard += chunk
    assert heard.count(b"HTTP/1.1") == 1
    assert b"the kiosk is stopping" in heard[-40:]


def test_no_thread_outlives_its_socket(server: PageServer):
    before = set(threading.enumerate())  # an earlier test's client may end a little later than its socket
    pages = [Page(server) for _ in range(4)]
    for page in pages:
        page.hear()
        page.close()
        page.line.thread.join(30)
    server.stop()
    since = [thread.name for thread in threading.enumerate() if thread not in before]
    left = [name for name in since if "page" in name or "websocket" in name]
    assert left == []


def _await_place(server: PageServer) -> Page:
    """The place of a socket that has just ended becomes free when its threads are gone."""
    while True:
        try:
            page = Page(server)
        except Refused:
            continue
        page.hear()
        return page
