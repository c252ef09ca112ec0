"""The hook in real React, and a hook of an older front end, against a real centre."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser

from tests.sync.client.app import AppServer
from tests.sync.client.bundle import bundle
from tests.sync.client.conftest import TO_WAITING, AppPage, LiveCentre
from tests.sync.client.relay import Relay

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.xdist_group("client")]


class ReactPage(AppPage):
    """A page in React. `patient_id` is whose."""

    patient_id: str
    token: str

    def see(self, selector: str, text: str) -> None:
        """Waits until an element has the text."""
        self.page.locator(selector, has_text=text).wait_for()

    def see_connected(self, is_connected: bool = True) -> None:
        self.page.locator(f"main[data-connected={str(is_connected).lower()}]").wait_for()

    def press(self, action: str) -> None:
        self.page.locator(f"[data-action={action}]").first.click()


@pytest.fixture
def open_react(browser: Browser, app: AppServer, live: LiveCentre, relay: Relay) -> Iterator[Callable[..., ReactPage]]:
    """Opens a page of `pages/` for a new patient."""
    opened: list[ReactPage] = []

    def open_one(name: str, *, clock: bool = False) -> ReactPage:
        if f"/{name}" not in app.pages:
            app.page_with(bundle(name), name)
        patient_id, token = live.newcomer()
        page = ReactPage(browser, f"{app.origin}/{name}", {"url": relay.url, "token": token}, clock=clock)
        page.patient_id, page.token = patient_id, token
        opened.append(page)
        return page

    yield open_one
    for each in opened:
        each.close()


def test_many_components_share_one_connection_also_in_strict_mode(open_react, relay: Relay):
    page = open_react("hook")
    page.see_connected()
    page.see("#state", "UNREGISTERED")
    assert relay.sockets == 1
    assert sorted(page.do("() => window.fields")) == [
        "appointments",
        "availableActions",
        "isConnected",
        "journeyState",
        "loading",
        "performAction",
        "queueDetails",
        "refresh",
    ]
    page.do("() => leave()")
    page.wait_until(lambda: relay.open_sockets == 0)


def test_a_first_load_shows_that_it_loads(open_react, relay: Relay):
    relay.refuses_all = True
    page = open_react("hook")
    page.see("#loading", "One moment")
    relay.refuses_all = False
    page.see("#state", "UNREGISTERED")


def test_an_action_over_the_socket_changes_what_all_components_show(open_react, live: LiveCentre):
    page = open_react("hook")
    page.see_connected()
    for action in TO_WAITING:
        page.press(action)
        page.see("#result", "done")
    page.see("#state", "WAITING")
    (entry,) = live.act(page.patient_id, "call_patient")["queue_details"]
    page.see("#place", entry["queue_number"])
    page.see("#state", "CALLED")


def test_while_the_socket_is_cut_actions_go_over_http_and_the_hook_comes_back(
    open_react, live: LiveCentre, relay: Relay
):
    page = open_react("hook")
    page.see_connected()
    relay.refuses_sockets = True
    relay.cut_sockets()
    page.see_connected(is_connected=False)
    page.see("#state", "UNREGISTERED")
    page.press("scan_nfc")
    page.see("#state", "ARRIVED")
    page.page.locator("#refresh").click()
    live.act(page.patient_id, "register")
    relay.refuses_sockets = False
    page.see_connected()
    page.see("#state", "REGISTERED")


def test_a_refused_action_is_a_value_and_the_page_stays(open_react):
    page = open_react("hook")
    page.see_connected()
    page.press("make_payment")
    page.see("#result", "not_allowed")
    page.see("#state", "UNREGISTERED")


def test_a_token_that_is_ended_leaves_nothing_on_the_page(open_react, live: LiveCentre):
    page = open_react("hook")
    page.see_connected()
    live.act(page.patient_id, *TO_WAITING)
    page.see("#state", "WAITING")
    live.revoke(page.token)
    page.see("#state", "nobody")
    assert page.page.title() == "unauthorized"
    assert page.page.locator("#place").inner_text() == ""
    page.press("make_payment")
    page.see("#result", "unauthorized")


@pytest.mark.parametrize("name", ["hook", "old_hook"])
def test_a_ping_of_each_half_minute_is_answered(open_react, name: str):
    page = open_react(name, clock=True)
    page.see_connected()
    page.page.clock.run_for(30_000)
    page.wait_until(lambda: {"type": "pong"} in page.heard)


def test_an_older_hook_works_as_it_is_once_its_token_became_a_cookie(open_react, live: LiveCentre, relay: Relay):
    page = open_react("old_hook")
    page.see_connected()
    page.see("#state", "UNREGISTERED")
    for action, state in zip(TO_WAITING, ("ARRIVED", "REGISTERED", "WAITING"), strict=True):
        page.press(action)
        page.see("#state", state)
    page.press("make_payment")
    page.see("#error", "not allowed")
    page.see("#state", "WAITING")
    (entry,) = live.act(page.patient_id, "call_patient")["queue_details"]
    page.see("#state", "CALLED")
    page.see("#place", entry["queue_number"])


def test_an_older_hook_goes_on_over_http_and_comes_back(open_react, live: LiveCentre, relay: Relay):
    page = open_react("old_hook")
    page.see_connected()
    relay.refuses_sockets = True
    relay.cut_sockets()
    page.see_connected(is_connected=False)
    page.press("scan_nfc")
    page.see("#state", "ARRIVED")
    page.press("make_payment")
    page.see("#error", "not allowed")
    relay.refuses_sockets = False
    page.see_connected()
    live.act(page.patient_id, "register")
    page.see("#state", "REGISTERED")
