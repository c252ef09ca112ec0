"""Other processes of the machine at the page's server: the kiosk's own browser is served whatever they do."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest
import requests
from playwright.sync_api import Browser

from kiosk.config import DisplaySection
from kiosk.ui.app import create_app
from kiosk.ui.entrance import is_shown
from kiosk.ui.server import Limits, PageServer
from tests.kiosk.ui.admitted import ADMISSION, cookie_of
from tests.kiosk.ui.browser import Kiosk
from tests.kiosk.ui.conftest import Client
from tests.kiosk.ui.line import Page
from tests.kiosk.ui.staged import HONG, StagedCounter

PATIENCE_S = 30
LONG_S = 600.0  # longer than the test may take
HALF = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
HALF_BODY = b"POST /api/v1/actions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999\r\n\r\n{"


@contextmanager
def serving(counter: StagedCounter, limits: Limits) -> Iterator[PageServer]:
    app = create_app(counter, DisplaySection(), ADMISSION)
    server = PageServer(app, ADMISSION, "127.0.0.1", 0, limits)
    server.start()
    try:
        yield server
    finally:
        server.stop()


class Crowd(ExitStack):
    """Connections of strangers to a server."""

    def __init__(self, server: PageServer) -> None:
        super().__init__()
        self._port = server.port

    def join(self, sent: bytes = b"") -> socket.socket:
        connection = self.enter_context(socket.create_connection(("127.0.0.1", self._port), timeout=PATIENCE_S))
        connection.sendall(sent)
        return connection


def until(true: Callable[[], bool]) -> None:
    """Waits until the server's own threads have made it true. The test's time limit ends a wait in vain."""
    while not true():
        time.sleep(0.01)


def is_cut(connection: socket.socket) -> bool:
    """Waits until the server ends a connection without an answer."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def read_all(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(4096), b""))


@pytest.fixture
def hostile(server: PageServer) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.kiosk.ui.hostile", str(server.port), "500"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process
        assert process.poll() is None, "the hostile process has ended"
        process.kill()


@pytest.mark.browser
@pytest.mark.usefixtures("hostile")
def test_five_hundred_connections_of_another_process_keep_no_screen_from_the_kiosks_browser(
    server: PageServer, counter: StagedCounter, browser: Browser, caplog: pytest.LogCaptureFixture
):
    screen = Kiosk(browser, server.url).open()
    for _ in range(3):
        screen.await_frame(counter.tap(HONG).frame)
        assert "홍*동 님, 안녕하세요" in screen.content.inner_text()
        screen.page.reload()
        screen.await_frame(counter.begin().frame)
    assert screen.complaints == []
    screen.close()
    server.stop()
    assert caplog.records == []


@pytest.mark.usefixtures("hostile")
def test_a_crowd_takes_a_bounded_number_of_threads_and_connections(server: PageServer):
    until(lambda: server.connections > 100)
    answered = 0
    while answered < 20:
        with suppress(requests.ConnectionError):  # among strangers, one that has just connected may have to go again
            answered += requests.get(server.url + "healthz", timeout=PATIENCE_S).ok
        assert server.connections <= 128 + 8
        serving_threads = [each for each in threading.enumerate() if "process_request_thread" in each.name]
        assert len(serving_threads) <= 16


def test_a_newcomer_takes_the_place_of_the_oldest_that_has_asked_nothing(counter: StagedCounter):
    with serving(counter, Limits(waiting=2, request_s=LONG_S)) as server, Crowd(server) as crowd:
        first, second = crowd.join(), crowd.join(HALF)
        until(lambda: server.connections == 2)
        third = crowd.join()
        assert is_cut(first)
        crowd.join()
        assert is_cut(second)
        assert requests.get(server.url + "healthz", timeout=PATIENCE_S).ok
        assert is_cut(third)


@pytest.mark.parametrize("sent", [b"", HALF, HALF_BODY], ids=["nothing", "half a head", "half a body"])
@pytest.mark.parametrize("goes_on", [False, True], ids=["then silence", "then a byte now and then"])
def test_a_whole_request_has_one_deadline_whatever_was_sent(counter: StagedCounter, sent: bytes, goes_on: bool):
    with serving(counter, Limits(request_s=0.3)) as server, Crowd(server) as crowd:
        slow = crowd.join(sent)
        slow.settimeout(0.02 if goes_on else PATIENCE_S)
        answered, ended = b"", False
        while not ended:  # the test's time limit ends a server that waits on
            try:
                if goes_on:
                    slow.sendall(b"x")
                received = slow.recv(4096)
                answered, ended = answered + received, received == b""
            except TimeoutError:
                pass
            except OSError:
                ended = True
        until(lambda: server.connections == 0)
        # A stranger's body is read by nobody: the refusal needs no more than the head.
        assert answered == b"" or answered.startswith(b"HTTP/1.1 403")


def test_the_body_of_the_kiosks_own_browser_has_the_same_deadline(counter: StagedCounter):
    with serving(counter, Limits(request_s=0.3)) as server, Crowd(server) as crowd:
        cookie = cookie_of(server.port)["Cookie"].encode()
        head = b"POST /api/v1/actions HTTP/1.1\r\nHost: localhost\r\nX-Kiosk: 1\r\nCookie: " + cookie
        slow = crowd.join(head + b"\r\nContent-Length: 999\r\n\r\n{")
        assert slow.fileno() > 0
        until(lambda: server.connections == 0)


def test_an_open_socket_outlives_the_deadline_of_its_request(counter: StagedCounter):
    with serving(counter, Limits(request_s=0.2)) as server:
        page = Page(server)
        page.hear()
        with Crowd(server) as crowd:
            assert is_cut(crowd.join())  # a deadline later
        page.say("ping")
        assert page.hear()["type"] == "pong"
        page.close()


def test_strangers_end_one_another_and_never_the_kiosks_own_browser(counter: StagedCounter):
    # A place of the browser is free again a moment after its answer, so it needs more than those it uses at a time.
    with serving(counter, Limits(own=4, strangers=2, request_s=LONG_S)) as server, Crowd(server) as crowd:
        page = Page(server)
        page.hear()
        slow = [crowd.join(HALF_BODY) for _ in range(2)]
        until(lambda: server.connections == 3)
        assert requests.get(server.url + "healthz", timeout=PATIENCE_S).ok
        assert read_all(slow[0]).startswith(b"HTTP/1.1 403")
        for _ in range(20):
            crowd.join(HALF_BODY)
        until(lambda: server.connections <= 1 + 2)
        page.say("ping")
        assert page.hear()["type"] == "pong"
        with Client(server.url) as kiosk:
            assert kiosk.get("/api/v1/state").ok
        page.close()


def test_the_own_browser_has_no_more_than_its_places(counter: StagedCounter):
    with serving(counter, Limits(own=1)) as server:
        page = Page(server)
        page.hear()
        answer = requests.get(server.url, headers=cookie_of(server.port), timeout=PATIENCE_S)
        assert (answer.status_code, answer.content) == (503, b"")
        assert requests.get(server.url + "healthz", timeout=PATIENCE_S).ok
        page.close()
        until(lambda: server.connections == 0)
        assert requests.get(server.url, headers=cookie_of(server.port), timeout=PATIENCE_S).ok


def test_a_connection_that_ends_before_it_asks_leaves_nothing_behind(server: PageServer):
    for sent in (b"", HALF):
        with Crowd(server) as crowd:
            crowd.join(sent)
            until(lambda: server.connections == 1)
        until(lambda: server.connections == 0)
        with Crowd(server) as crowd:
            reset = crowd.join(sent)
            until(lambda: server.connections == 1)
            reset.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            reset.close()
            until(lambda: server.connections == 0)


def test_half_a_request_whose_sender_has_ended_is_answered_as_far_as_it_goes(server: PageServer):
    with Crowd(server) as crowd:
        ended = crowd.join(HALF)
        ended.shutdown(socket.SHUT_WR)
        assert read_all(ended).startswith(b"HTTP/1.1 ")


def test_a_head_that_comes_in_parts_is_one_request(server: PageServer):
    with Crowd(server) as crowd:
        slow = crowd.join(HALF)
        until(lambda: server.connections == 1)
        for part in (b"X-A: 1\r", b"\n", b"\r", b"\n"):
            slow.sendall(part)
        assert read_all(slow).startswith(b"HTTP/1.1 200")


SHORT_OF_FILES = """
import resource, sys
from kiosk.config import DisplaySection
from kiosk.ui.app import create_app
from kiosk.ui.server import PageServer
from tests.kiosk.ui.admitted import ADMISSION
from tests.kiosk.ui.staged import StagedCounter
server = PageServer(create_app(StagedCounter(), DisplaySection(), ADMISSION), ADMISSION, "127.0.0.1", 0)
server.start()
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
print(server.port, flush=True)
sys.stdin.read()
"""


def test_a_crowd_that_takes_all_file_descriptors_keeps_nobody_out():
    command = [sys.executable, "-c", SHORT_OF_FILES]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with ExitStack() as crowd:
            for _ in range(100):
                crowd.enter_context(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S))
            answered = False
            while not answered:  # the test's time limit ends a wait in vain
                with suppress(requests.ConnectionError):
                    answered = requests.get(f"http://127.0.0.1:{port}/healthz", timeout=PATIENCE_S).ok


@pytest.mark.parametrize(
    ("head", "own"),
    [
        ("GET / HTTP/1.1\r\nCookie: nfc-kiosk-page-80=GOOD\r\n\r\n", True),
        ("GET / HTTP/1.1\r\ncookie:a=b; nfc-kiosk-page-80=GOOD\r\n\r\n", True),
        ("GET / HTTP/1.1\nHost: x\nCookie: nfc-kiosk-page-80=GOOD\n\n", True),
        ("GET / HTTP/1.1\r\nCookie: nfc-kiosk-page-81=GOOD\r\n\r\n", False),
        ("GET / HTTP/1.1\r\nCookie: nfc-kiosk-page-80=GOODx\r\n\r\n", False),
        ("GET / HTTP/1.1\r\nX-Cookie: nfc-kiosk-page-80=GOOD\r\n\r\n", False),
        ("GET /?nfc-kiosk-page-80=GOOD HTTP/1.1\r\n\r\n", False),
        ("GET /open/none HTTP/1.1\r\n\r\n", False),
        ("GET / HTTP/1.1\r\nCookie\r\n\r\n", False),
        ("\r\n\r\n", False),
        ("\xff\xfe", False),
    ],
)
def test_only_a_cookie_or_a_key_of_this_kiosk_shows_its_own_browser(head: str, own: bool):
    head = head.replace("GOOD", ADMISSION.make_cookie())
    assert is_shown(head.encode("latin-1"), 80, ADMISSION) is own


def test_a_key_shows_the_browser_that_has_no_cookie_yet_and_stays_good():
    path = re.sub("^http://x", "", ADMISSION.one_time_url("http://x/"))
    head = f"GET {path} HTTP/1.1\r\n\r\n".encode()
    assert is_shown(head, 80, ADMISSION)
    assert is_shown(head, 80, ADMISSION)
    assert ADMISSION.use_up(path.removeprefix("/open/"))
    assert not is_shown(head, 80, ADMISSION)
