"""The library in a browser: a page of another origin, a real centre, and a connection that breaks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Route

from sync.visit_secret import make_secret
from tests.sync.client.app import AppServer
from tests.sync.client.conftest import TO_WAITING, AppPage, LiveCentre
from tests.sync.client.relay import Relay
from tests.sync.client.types import DOCS

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.xdist_group("client")]

BEGIN = """async () => {
  const { PatientJourney, TIMES } = await import(settings.url + "/client/journey.js");
  const times = { ...TIMES, ...settings.times, channel: { ...TIMES.channel, ...settings.channel } };
  const tokens = (window.tokens = settings.tokens);
  const token = (refused) => {
    if (refused === tokens[0]) tokens.shift();
    return tokens[0] ?? null;
  };
  window.journey = new PatientJourney({ url: settings.url, token, times, onEnded: (why) => (window.ended = why) });
  journey.start();
}"""
PERFORM = "([action, payload]) => journey.perform(action, payload)"
PERFORM_PATH = "**/patient-journey/perform-action/"


class JourneyPage(AppPage):
    """A page with a journey. `patient_id` is whose."""

    patient_id: str
    token: str

    def perform(self, action: str, **payload: Any) -> dict[str, Any]:
        return dict(self.do(PERFORM, [action, payload]))

    @property
    def shown(self) -> dict[str, Any]:
        return dict(self.do("() => journey.read()"))

    def posts(self) -> int:
        """The number of actions that went over HTTP."""
        script = "() => performance.getEntriesByType('resource').filter(({ name }) => name.includes('perform-')).length"
        return int(self.do(script))


@pytest.fixture
def open_page(browser: Browser, app: AppServer, live: LiveCentre, relay: Relay) -> Iterator[Callable[..., JourneyPage]]:
    """Opens a page with a journey of a new patient. `clock` lets the test move the browser's clock."""
    opened: list[JourneyPage] = []

    def open_one(*, clock: bool = False, more_tokens: tuple[str, ...] = (), begin: bool = True, **settings: Any):
        patient_id, token = live.newcomer()
        given = {"url": relay.url, "tokens": [token, *more_tokens], **settings}
        page = JourneyPage(browser, f"{app.origin}/app", given, clock=clock)
        page.patient_id, page.token = patient_id, token
        opened.append(page)
        if begin:
            page.do(BEGIN)
        return page

    yield open_one
    for each in opened:
        each.close()


def test_the_first_load_brings_the_state_the_definitions_and_the_socket(open_page, live: LiveCentre):
    page = open_page()
    page.until("journey.read().isConnected && journey.read().definitions")
    shown = page.shown
    assert (shown["journeyState"], shown["loading"], shown["ended"]) == ("UNREGISTERED", False, None)
    assert shown["availableActions"] == ["scan_nfc"]
    assert page.do("() => [journey.journeyStateOf('called'), journey.journeyStateOf('none')]") == ["CALLED", None]


def test_an_action_goes_over_the_socket_and_is_done_once(open_page, live: LiveCentre):
    page = open_page()
    page.until("journey.read().isConnected")
    result = page.perform("scan_nfc")
    assert (result["ok"], result["state"]["journey_state"]) == (True, "ARRIVED")
    assert page.shown["journeyState"] == "ARRIVED"
    assert page.posts() == 0
    assert live.history(page.patient_id) == ["scan_nfc"]


def test_a_change_by_others_is_shown(open_page, live: LiveCentre):
    page = open_page()
    page.until("journey.read().isConnected")
    live.act(page.patient_id, *TO_WAITING)
    page.until("journey.read().journeyState === 'WAITING'")
    (entry,) = page.shown["queueDetails"]
    live.act(page.patient_id, "call_patient")
    page.until("journey.read().journeyState === 'CALLED'")
    assert page.shown["queueDetails"][0]["queue_number"] == entry["queue_number"]


def test_two_presses_at_once_are_one_action(open_page, live: LiveCentre):
    page = open_page()
    page.until("journey.read().isConnected")
    live.act(page.patient_id, *TO_WAITING, "call_patient", "start_exam", "complete_exam")
    page.until("journey.read().journeyState === 'COMPLETED'")
    results = page.do("() => Promise.all([journey.perform('make_payment'), journey.perform('make_payment')])")
    assert [each["ok"] for each in results] == [True, True]
    assert live.history(page.patient_id).count("make_payment") == 1
    assert page.perform("make_payment")["state"]["journey_state"] == "FINISHED", "the second step is another action"


def test_a_refused_action_is_a_value(open_page, live: LiveCentre):
    page = open_page()
    page.until("journey.read().isConnected")
    result = page.perform("make_payment")
    assert result.pop("message")
    assert result == {
        "ok": False,
        "code": "not_allowed",
        "journeyState": "UNREGISTERED",
        "availableActions": ["scan_nfc"],
    }
    assert page.perform("dance")["code"] == "unknown_action"


def test_without_a_socket_everything_goes_over_http_and_the_socket_comes_back(
    open_page, live: LiveCentre, relay: Relay
):
    relay.refuses_sockets = True
    page = open_page(times={"pollEveryMs": 100})
    page.until("!journey.read().loading")
    assert not page.shown["isConnected"]
    assert page.perform("scan_nfc")["ok"]
    assert page.perform("scan_nfc")["code"] == "not_allowed"
    assert page.perform("call_patient")["code"] == "forbidden"
    assert page.posts() == 3
    assert page.shown["ended"] is None
    live.act(page.patient_id, "register")
    page.until("journey.read().journeyState === 'REGISTERED'")
    relay.refuses_sockets = False
    page.until("journey.read().isConnected")


def test_an_answer_lost_on_the_socket_is_asked_for_over_http_with_the_same_id(
    open_page, live: LiveCentre, relay: Relay
):
    page = open_page(clock=True)
    page.until("journey.read().isConnected")
    sent: list[str] = []
    page.page.on(
        "request", lambda request: request.post_data and sent.append(json.loads(request.post_data)["action_id"])
    )
    relay.silence_sockets()
    page.do("() => { journey.perform('scan_nfc').then((result) => (window.result = result)); }")
    page.pass_time_until(lambda: bool(sent))
    page.until("window.result")
    assert page.do("() => [result.ok, result.actionId]") == [True, sent[0]]
    assert live.history(page.patient_id) == ["scan_nfc"]


def test_a_change_while_the_socket_was_cut_is_shown_after_the_return(open_page, live: LiveCentre, relay: Relay):
    page = open_page()
    page.until("journey.read().isConnected")
    relay.refuses_all = True
    relay.cut_sockets()
    page.until("!journey.read().isConnected")
    assert page.shown["journeyState"] == "UNREGISTERED", "the last state stays in sight"
    live.act(page.patient_id, "scan_nfc")
    relay.refuses_all = False
    page.until("journey.read().isConnected && journey.read().journeyState === 'ARRIVED'")


def test_a_socket_that_went_silent_is_left_for_another(open_page, live: LiveCentre, relay: Relay):
    page = open_page(clock=True)
    page.until("journey.read().isConnected")
    relay.silence_sockets()
    page.pass_time_until(lambda: relay.sockets > 1)
    live.act(page.patient_id, "scan_nfc")
    page.until("journey.read().journeyState === 'ARRIVED'")


def test_a_move_of_the_line_is_asked_for(open_page, live: LiveCentre):
    before, _ = live.newcomer()
    live.act(before, *TO_WAITING)
    page = open_page(clock=True)
    page.until("journey.read().isConnected")
    (entry,) = live.act(page.patient_id, *TO_WAITING)["queue_details"]
    page.until("journey.read().queueDetails.length === 1")
    live.act(before, "call_patient", "start_exam")
    moved = entry["people_ahead"] - 1
    page.pass_time_until(lambda: page.shown["queueDetails"][0]["people_ahead"] == moved)


def test_a_page_that_is_looked_at_again_asks_at_once(open_page, live: LiveCentre):
    before, _ = live.newcomer()
    live.act(before, *TO_WAITING)
    page = open_page(times={"refreshEveryMs": 1e8})
    page.until("journey.read().isConnected")
    (entry,) = live.act(page.patient_id, *TO_WAITING)["queue_details"]
    page.until("journey.read().queueDetails.length === 1")
    live.act(before, "call_patient", "start_exam")
    page.do("() => document.dispatchEvent(new Event('visibilitychange'))")
    page.until(f"journey.read().queueDetails[0].people_ahead === {entry['people_ahead'] - 1}")


def test_a_device_that_is_back_in_a_network_connects_at_once(open_page, relay: Relay):
    relay.refuses_sockets = True
    page = open_page(channel={"backoff": {"firstMs": 1e8, "mostMs": 1e8}})
    page.until("!journey.read().loading")
    relay.refuses_sockets = False
    page.do("() => window.dispatchEvent(new Event('online'))")
    page.until("journey.read().isConnected")


def test_a_token_that_is_ended_stops_everything_and_clears_what_was_shown(open_page, live: LiveCentre):
    page = open_page()
    page.until("journey.read().isConnected")
    live.act(page.patient_id, *TO_WAITING)
    page.until("journey.read().queueDetails.length === 1")
    live.revoke(page.token)
    page.until("window.ended === 'unauthorized'")
    shown = page.shown
    assert (shown["journeyState"], shown["queueDetails"], shown["isConnected"]) == (None, [], False)
    assert shown["ended"] == "unauthorized"
    assert page.perform("scan_nfc")["code"] == "unauthorized"


def test_a_token_that_is_refused_over_http_stops_everything_too(open_page, live: LiveCentre, relay: Relay):
    relay.refuses_sockets = True
    page = open_page()
    page.until("!journey.read().loading")
    live.revoke(page.token)
    assert page.perform("scan_nfc")["code"] == "unauthorized"
    assert page.do("() => window.ended") == "unauthorized"


def test_a_token_that_was_renewed_goes_on(open_page, live: LiveCentre):
    other_patient, other = live.newcomer()
    page = open_page(more_tokens=(other,))
    page.until("journey.read().isConnected")
    live.revoke(page.token)
    live.act(other_patient, "scan_nfc")
    page.until("journey.read().journeyState === 'ARRIVED'")
    assert page.do("() => window.ended ?? null") is None


def test_an_answer_that_comes_late_does_not_replace_a_newer_state(open_page, relay: Relay):
    relay.refuses_sockets = True
    page = open_page()
    page.until("!journey.read().loading")
    held: list[Route] = []
    page.page.route("**/current-state/", lambda route: held.append(route))
    page.do("() => { window.late = journey.refresh(); }")
    page.wait_until(lambda: bool(held))
    old = held[0].fetch()
    assert page.perform("scan_nfc")["ok"]
    held[0].fulfill(response=old)
    page.do("() => window.late")
    assert old.json()["journey_state"] == "UNREGISTERED"
    assert page.shown["journeyState"] == "ARRIVED"


def test_the_centre_is_asked_again_when_it_has_said(open_page, live: LiveCentre, relay: Relay):
    relay.refuses_sockets = True
    page = open_page(clock=True)
    page.until("!journey.read().loading")
    sent: list[str] = []

    def busy_once(route: Route) -> None:
        sent.append(json.loads(route.request.post_data or "")["action_id"])
        headers = {
            "Retry-After": "60",
            "Access-Control-Allow-Origin": "*",
            "Access-Control-Expose-Headers": "Retry-After",
        }
        body = json.dumps({"error": "Busy.", "code": "busy"})
        route.continue_() if len(sent) > 1 else route.fulfill(status=503, headers=headers, body=body)

    page.page.route(PERFORM_PATH, busy_once)
    page.do("() => { journey.perform('scan_nfc').then((result) => (window.result = result)); }")
    page.wait_until(lambda: len(sent) == 1)
    page.page.clock.run_for(55_000)
    assert len(sent) == 1
    page.page.clock.run_for(10_000)
    page.until("window.result")
    assert page.do("() => window.result.ok")
    assert len(set(sent)) == 1
    assert live.history(page.patient_id) == ["scan_nfc"]


def test_a_press_that_nobody_answers_says_so_and_pressed_again_it_is_the_same_action(
    open_page, live: LiveCentre, relay: Relay
):
    relay.refuses_sockets = True
    page = open_page(clock=True)
    page.until("!journey.read().loading")
    sent: list[str] = []

    def lose(route: Route) -> None:
        sent.append(json.loads(route.request.post_data or "")["action_id"])
        route.abort()

    page.page.route(PERFORM_PATH, lose)
    page.do("() => { journey.perform('scan_nfc').then(({ code }) => (window.code = code)); }")
    page.pass_time_until(lambda: page.do("() => window.code ?? null") == "no_answer")
    page.page.unroute(PERFORM_PATH)
    assert page.perform("scan_nfc")["actionId"] == sent[0]
    assert len(set(sent)) == 1


def test_a_journey_that_is_closed_holds_no_socket_and_can_begin_again(open_page, relay: Relay):
    page = open_page()
    page.until("journey.read().isConnected")
    page.do("() => journey.close()")
    page.wait_until(lambda: relay.open_sockets == 0)
    assert page.perform("scan_nfc")["code"] == "closed"
    page.do("() => journey.start()")
    page.until("journey.read().isConnected")


def test_a_journey_that_begins_and_ends_at_once_asks_for_nothing(open_page, relay: Relay):
    page = open_page()
    page.until("journey.read().isConnected")
    page.do("() => { journey.close(); journey.start(); journey.close(); journey.start(); }")
    page.until("journey.read().isConnected")
    assert relay.sockets == 2


def test_a_browser_keeps_nothing_of_a_patient(open_page, live: LiveCentre):
    page = open_page()
    page.until("journey.read().isConnected")
    page.perform("scan_nfc")
    assert page.context.storage_state(indexed_db=True) == {"cookies": [], "origins": []}
    assert page.do("() => caches.keys()") == []
    asked = page.do("() => performance.getEntriesByType('resource').map(({ name }) => name)")
    assert not [url for url in asked if page.token in url or page.patient_id in url]


def test_the_phone_page_of_the_documents_shows_the_place_in_line(
    browser: Browser, app: AppServer, live: LiveCentre, relay: Relay
):
    source = (DOCS / "phone-page.html").read_text("utf-8")
    app.pages["/phone"] = ("text/html", source.replace("https://checkin.hospital.example", relay.url).encode())
    patient_id, token = live.newcomer()
    page = AppPage(browser, f"{app.origin}/phone#{token}", {})
    page.page.get_by_text("You are in no line now.").wait_for()
    live.act(patient_id, "scan_nfc", "register")
    page.page.locator("#arrive").click()
    page.page.get_by_text("before you").wait_for()
    (entry,) = live.act(patient_id, "call_patient")["queue_details"]
    page.page.get_by_text("Please come in now").wait_for()
    assert page.page.locator("b").inner_text() == entry["queue_number"]
    live.act(patient_id, "mark_no_show")
    page.page.get_by_text("You were called.").wait_for()
    live.revoke(token)
    page.page.get_by_text("This page has ended.").wait_for()
    assert entry["queue_number"] not in page.page.content()
    page.close()


def test_a_newer_token_is_told_to_the_socket_which_goes_on(open_page, live: LiveCentre, relay: Relay):
    page = open_page()
    page.until("journey.read().isConnected")
    newer = page.do(
        """async () => {
          const headers = { Authorization: `Bearer ${tokens[0]}` };
          const answer = await fetch(settings.url + "/api/v1/token/renew/", { method: "POST", headers });
          const { token } = await answer.json();
          window.tokens[0] = token;
          await journey.renew();
          return token;
        }"""
    )
    live.revoke(page.token)
    live.act(page.patient_id, "scan_nfc")
    page.until("journey.read().journeyState === 'ARRIVED'")
    assert relay.sockets == 1
    live.revoke(newer)
    page.until("window.ended === 'unauthorized'")


def test_by_a_session_cookie_everything_goes_over_the_socket(open_page, live: LiveCentre, relay: Relay):
    page = open_page(begin=False)
    page.do(
        """async () => {
          const headers = { Authorization: `Bearer ${settings.tokens[0]}` };
          await fetch(settings.url + "/api/v1/session/", { method: "POST", headers, credentials: "include" });
          const { PatientJourney } = await import(settings.url + "/client/journey.js");
          window.journey = new PatientJourney({ url: settings.url, onEnded: (why) => (window.ended = why) });
          journey.start();
        }"""
    )
    page.until("journey.read().isConnected")
    assert page.perform("scan_nfc")["ok"]
    relay.refuses_sockets = True
    relay.cut_sockets()
    page.wait_until(lambda: relay.sockets > 2)
    relay.refuses_sockets = False
    page.until("journey.read().isConnected")
    assert page.posts() == 0
    live.revoke(page.token)
    page.until("window.ended === 'unauthorized'")


def test_the_secret_of_a_visit_that_the_hospital_does_not_know_yet_is_tried_again(open_page, relay: Relay):
    page = open_page(tokens=[make_secret()])
    page.wait_until(lambda: relay.sockets > 1)
    assert page.shown["loading"]
    assert page.do("() => window.ended ?? null") is None


def test_a_kiosks_token_ends_a_journey_as_forbidden(open_page, live: LiveCentre):
    page = open_page(tokens=[live.kiosk_token()])
    page.until("window.ended === 'forbidden'")
    assert page.perform("scan_nfc")["code"] == "forbidden"
