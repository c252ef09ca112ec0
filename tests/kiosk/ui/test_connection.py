"""The connection of page and daemon: the socket first, HTTP while that is down, and the words when neither works.

The test moves the browser's clock where time must pass.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Route, WebSocketRoute

from kiosk.config import DisplaySection
from kiosk.ui.app import create_app
from kiosk.ui.server import PageServer
from tests.kiosk.ui.admitted import ADMISSION
from tests.kiosk.ui.browser import Kiosk
from tests.kiosk.ui.conftest import Staged, serving
from tests.kiosk.ui.staged import HONG, NAMGUNG, StagedCounter

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser-connection")]


class Shaken(Kiosk):
    """A screen on a bad connection. The test moves its clock, and the browser may complain of failed connections."""

    def __init__(self, browser: Browser, url: str) -> None:
        super().__init__(browser, url)
        self.page.clock.install()

    def until(self, true: Callable[[], bool]) -> None:
        """Lets time pass, two minutes at most, until the condition is true."""
        for _ in range(240):
            if true():
                return
            self.page.clock.run_for(500)
        pytest.fail("it never came true")

    def until_seen(self, selector: str) -> None:
        """Lets time pass until the text is on the page."""
        self.until(lambda: self.page.locator(selector).is_visible())

    def close(self) -> None:
        lines = ("ERR_", "WebSocket connection to", "503 (SERVICE UNAVAILABLE)")
        assert [text for text in self.complaints if not any(line in text for line in lines)] == []
        super().close()


@pytest.fixture
def shaken(server: PageServer, browser: Browser) -> Iterator[Shaken]:
    kiosk = Shaken(browser, server.url)
    yield kiosk
    kiosk.close()


@pytest.fixture
def without_sockets(counter: StagedCounter, browser: Browser) -> Iterator[Shaken]:
    with serving(counter, max_sockets=0) as server:
        kiosk = Shaken(browser, server.url)
        yield kiosk
        kiosk.close()


def again(counter: StagedCounter, server: PageServer) -> PageServer:
    """Starts the daemon's server again, on the same port."""
    back = PageServer(create_app(counter, DisplaySection(), ADMISSION), ADMISSION, "127.0.0.1", server.port)
    back.start()
    return back


def test_a_cut_socket_is_opened_again(staged: Staged):
    with staged.screen.page.expect_websocket():
        staged.counter.hang_up()
    staged.screen.await_frame(staged.counter.tap(HONG).frame)
    assert "홍*동 님, 안녕하세요" in staged.screen.content.inner_text()


def test_without_a_socket_everything_goes_over_http(without_sockets: Shaken, counter: StagedCounter):
    without_sockets.open()
    counter.tap(HONG)
    without_sockets.until_seen('[data-name="next"]')
    without_sockets.press("next")
    without_sockets.await_text("접수되었습니다")
    assert len(counter.acts) == 1
    without_sockets.press("keep")
    without_sockets.until(lambda: counter.keeps == 1)
    without_sockets.press("home")
    without_sockets.await_screen("attract")


def test_an_answer_lost_on_the_socket_is_asked_for_over_http_with_the_same_id(shaken: Shaken, counter: StagedCounter):
    def deaf(route: WebSocketRoute) -> None:
        to_page, from_server = route.send, route.connect_to_server()
        from_server.on_message(lambda text: None if '"REGISTERED","queue' in str(text) else to_page(text))

    shaken.page.route_web_socket("**/ws", deaf)
    shaken.open()
    shaken.await_frame(counter.tap(HONG).frame)
    shaken.press("next")
    shaken.until(lambda: len(counter.acts) > 1)
    shaken.await_text("접수되었습니다")
    assert len(set(counter.acts)) == 1
    assert counter.screen().next_action == "confirm_arrival"


def test_a_press_that_nobody_answers_says_so_and_pressed_again_it_is_the_same_action(
    without_sockets: Shaken, counter: StagedCounter
):
    sent: list[str] = []

    def lose(route: Route) -> None:
        sent.append(json.loads(route.request.post_data or "")["action_id"])
        route.abort()

    without_sockets.open()
    without_sockets.page.route("**/api/v1/actions", lose)
    counter.tap(HONG)
    without_sockets.until_seen('[data-name="next"]')
    without_sockets.press("next")
    without_sockets.until_seen(".note.bad")
    assert "다시 누르시거나 접수 창구로" in without_sockets.page.locator(".note.bad").inner_text()
    assert len(sent) > 2
    assert len(set(sent)) == 1
    without_sockets.page.unroute("**/api/v1/actions")
    without_sockets.press("next")
    without_sockets.await_text("접수되었습니다")
    assert [act[2] for act in counter.acts] == sent[:1]
    assert not without_sockets.page.locator(".note.bad").is_visible()


def test_a_missing_frame_makes_the_page_ask_for_the_whole(shaken: Shaken, counter: StagedCounter):
    asked: list[str] = []

    def lossy(route: WebSocketRoute) -> None:
        server = route.connect_to_server()

        def to_server(text: str | bytes) -> None:
            asked.append(json.loads(text)["command"])
            server.send(text)

        route.on_message(to_server)
        server.on_message(lambda text: None if "남궁" in str(text) else route.send(text))

    shaken.page.route_web_socket("**/ws", lossy)
    shaken.open()
    counter.tap(NAMGUNG)
    shaken.await_frame(counter.tap(HONG).frame)
    shaken.until(lambda: "fetch_initial_state" in asked)
    assert "홍*동" in shaken.content.inner_text()


def test_a_socket_that_went_silent_is_left_for_another(shaken: Shaken, counter: StagedCounter):
    sockets: list[WebSocketRoute] = []

    def mute(route: WebSocketRoute) -> None:
        sockets.append(route)
        from_server = route.connect_to_server()
        from_server.on_message(lambda text: None if "pong" in str(text) else route.send(text))

    shaken.page.route_web_socket("**/ws", mute)
    shaken.open()
    shaken.until(lambda: len(sockets) > 1)
    shaken.await_frame(counter.tap(HONG).frame)
    assert "홍*동" in shaken.content.inner_text()


def test_a_daemon_that_is_away_is_told_of_and_its_return_too(
    shaken: Shaken, server: PageServer, counter: StagedCounter
):
    shaken.open()
    server.stop()
    shaken.until_seen('#content[data-screen="away"]')
    assert "통신이 원활하지 않습니다" in shaken.content.inner_text()
    assert "접수 창구" in shaken.content.inner_text()
    back = again(counter, server)
    shaken.until_seen('#content[data-screen="attract"]')
    # A daemon that has restarted counts its frames from the beginning.
    counter.tap(HONG)
    shaken.until_seen('#content[data-screen="journey"]')
    back.stop()


def test_a_patient_keeps_the_number_in_sight_while_the_daemon_is_away_but_not_for_ever(
    shaken: Shaken, server: PageServer, counter: StagedCounter
):
    shaken.open()
    counter.tap(HONG, "register", "confirm_arrival")
    shaken.await_text("B-017")
    server.stop()
    shaken.until(lambda: "기기가 응답하지 않습니다" in shaken.page.locator("#banner").inner_text())
    assert "B-017" in shaken.content.inner_text()
    shaken.until_seen('#content[data-screen="away"]')
    assert "B-017" not in shaken.page.content()


def test_who_leaves_while_the_daemon_is_away_is_gone(shaken: Shaken, server: PageServer, counter: StagedCounter):
    shaken.open()
    counter.tap(HONG, "register", "confirm_arrival")
    shaken.await_text("B-017")
    server.stop()
    shaken.press("home")
    shaken.until(lambda: "B-017" not in shaken.page.content())
    assert "홍*동" not in shaken.page.content()
