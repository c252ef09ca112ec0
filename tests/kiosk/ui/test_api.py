"""The kiosk's own API over HTTP, on a real port."""

from __future__ import annotations

import http.client
import json
import logging
import uuid
from collections.abc import Iterator

import msgspec
import pytest
from msgspec.structs import replace

from kiosk.front.screen import Screen, ScreenKind
from kiosk.ui.server import PageServer
from tests.kiosk.ui.admitted import cookie_of
from tests.kiosk.ui.conftest import Client, serving
from tests.kiosk.ui.staged import HONG, NAMGUNG, NOBODY, StagedCounter


def action(action_type: str, patient_id: str, offer: str | None = "an offer", **more: object) -> dict[str, object]:
    return {"action_type": action_type, "payload": {"patient_id": patient_id}, "offer": offer, **more}


def test_the_state_is_the_whole_screen_under_the_names_of_its_fields(kiosk: Client, counter: StagedCounter):
    shown = counter.tap(HONG)
    answer = kiosk.get("/api/v1/state")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert msgspec.json.decode(answer.content, type=Screen) == shown
    assert answer.json()["patient"]["masked_name"] == "홍*동"


def test_an_action_answers_with_the_state_after_it(kiosk: Client, counter: StagedCounter):
    shown = counter.tap(HONG)
    answer = kiosk.post("/api/v1/actions", json=action("register", HONG.patient_id, shown.offer))
    assert answer.status_code == 200
    assert answer.json()["journey"]["journey_state"] == "REGISTERED"
    assert answer.json()["next_action"] == "confirm_arrival"


def test_a_repeat_with_the_same_id_does_nothing_again_and_gets_the_same_answer(kiosk: Client, counter: StagedCounter):
    shown = counter.tap(HONG)
    once = action("register", HONG.patient_id, shown.offer, action_id=str(uuid.uuid4()))
    first, second = (kiosk.post("/api/v1/actions", json=once) for _ in range(2))
    assert first.json() == second.json()
    assert counter.screen().frame == first.json()["frame"]


def test_an_action_for_somebody_who_is_not_on_the_screen_is_a_conflict(kiosk: Client, counter: StagedCounter):
    shown = counter.tap(HONG)
    answer = kiosk.post("/api/v1/actions", json=action("register", NAMGUNG.patient_id, shown.offer))
    assert answer.status_code == 409
    assert answer.json()["code"] == "conflict"
    assert answer.json()["state"]["patient"]["patient_id"] == HONG.patient_id


def test_a_press_for_an_offer_that_is_over_is_a_conflict_too(kiosk: Client, counter: StagedCounter):
    shown = counter.tap(HONG)
    for body in (
        action("register", HONG.patient_id),
        action("register", HONG.patient_id, None),
        action("fly", HONG.patient_id, shown.offer),
    ):
        answer = kiosk.post("/api/v1/actions", json=body)
        assert (answer.status_code, answer.json()["code"]) == (409, "stale")
        assert answer.json()["error"]
        assert answer.json()["state"]["offer"] == shown.offer


def test_an_action_that_the_rules_refuse_is_answered_with_what_is_shown_now(kiosk: Client, counter: StagedCounter):
    shown = counter.tap(HONG)
    counter.overtake(HONG, "register")
    answer = kiosk.post("/api/v1/actions", json=action("register", HONG.patient_id, shown.offer))
    assert (answer.status_code, answer.json()["code"]) == (400, "not_allowed")
    assert answer.json()["state"]["next_action"] == "confirm_arrival"


def test_a_payment_terminal_names_its_receipt(kiosk: Client, counter: StagedCounter):
    counter.tap(HONG)
    paid = action("make_payment", HONG.patient_id)
    paid["payload"]["receipt_id"] = "R-1"
    kiosk.post("/api/v1/actions", json=paid)
    assert counter.payloads == [{"receipt_id": "R-1"}]


@pytest.mark.parametrize("receipt", ["", "7" * 201, 7])
def test_a_receipt_of_another_form_is_refused(kiosk: Client, counter: StagedCounter, receipt: object):
    counter.tap(HONG)
    paid = action("make_payment", HONG.patient_id)
    paid["payload"]["receipt_id"] = receipt
    answer = kiosk.post("/api/v1/actions", json=paid)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")
    assert counter.acts == []


def test_a_body_over_the_limit_is_refused(kiosk: Client, counter: StagedCounter):
    counter.tap(HONG)
    big = action("register", HONG.patient_id, answers="x" * 20_000)
    assert kiosk.post("/api/v1/actions", json=big).status_code == 413
    assert kiosk.post("/api/v1/actions", data=iter([json.dumps(big).encode()])).status_code == 413
    assert counter.acts == []


def test_keep_and_leave_answer_with_the_state_after_them(kiosk: Client, counter: StagedCounter):
    stay = {"stay": counter.tap(HONG).stay}
    assert kiosk.post("/api/v1/keep", json=stay).json()["keeps_left"] == 9
    assert kiosk.post("/api/v1/pace", json=stay | {"slow": True}).json()["slow"] is True
    assert kiosk.post("/api/v1/leave", json=stay).json()["screen"] == "attract"
    assert counter.screen().screen is ScreenKind.ATTRACT


def test_hidden_data_come_back_with_a_touch(kiosk: Client, counter: StagedCounter):
    shown = counter.tap(HONG)
    hidden = counter.hide()
    assert HONG.masked_name not in kiosk.get("/api/v1/state").text
    assert kiosk.post("/api/v1/touch", json={"stay": hidden.stay}).json()["patient"]["patient_id"] == HONG.patient_id
    assert hidden.stay == shown.stay


def test_health_is_ok_until_something_is_out_of_order(kiosk: Client, counter: StagedCounter):
    answer = kiosk.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "faults": []})
    counter.break_down("reader")
    answer = kiosk.get("/healthz")
    assert (answer.status_code, answer.json()) == (503, {"status": "fault", "faults": ["reader"]})


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/client/journey.js", 404),
        ("GET", "/static/../app.py", 404),
        ("GET", "/static/%2e%2e/app.py", 404),
        ("GET", "/api/v1/actions", 405),
        ("DELETE", "/api/v1/state", 405),
        ("BREW", "/", 405),
        ("GET", "/ws", 400),
    ],
)
def test_every_error_is_json_with_a_code(server: PageServer, method: str, path: str, status: int):
    # Not through requests, which would normalise the path.
    line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    line.request(method, path, headers={"X-Kiosk": "1", **cookie_of(server.port)})
    answer = line.getresponse()
    assert answer.status == status
    assert set(json.loads(answer.read())) == {"error", "code"}
    line.close()


def test_a_wrong_method_hears_the_right_ones(kiosk: Client):
    assert sorted(kiosk.get("/api/v1/actions").headers["Allow"].split(", ")) == ["OPTIONS", "POST"]


def test_what_breaks_is_told_in_a_sentence_and_logged_where_it_broke(
    kiosk: Client, counter: StagedCounter, caplog: pytest.LogCaptureFixture
):
    counter.breakage = RuntimeError("the staged breakage")
    with caplog.at_level(logging.ERROR):
        answer = kiosk.get("/api/v1/state")
    assert answer.status_code == 500
    assert answer.json() == {"error": "the kiosk could not do that", "code": "internal"}
    assert "the staged breakage" in caplog.text
    assert "Traceback" not in answer.text


def test_nothing_of_a_request_is_logged(kiosk: Client, counter: StagedCounter, caplog, capfd):
    with caplog.at_level(logging.DEBUG):
        counter.tap(HONG)
        kiosk.get("/api/v1/state?patient=P-1001")
        kiosk.post("/api/v1/actions", json=action("register", HONG.patient_id))
        kiosk.post("/api/v1/actions", data=b"{")
        kiosk.get("/nowhere/P-1001")
    ours = [record for record in caplog.records if record.name.startswith(("kiosk", "werkzeug"))]
    assert ours == []
    assert capfd.readouterr() == ("", "")


def test_without_a_simulated_reader_there_are_no_demo_cards(kiosk: Client):
    assert kiosk.get("/api/v1/demo/cards").status_code == 404
    answer = kiosk.post("/api/v1/demo/cards", json={"uid": HONG.uid})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.fixture
def demo_counter() -> StagedCounter:
    return StagedCounter(demo=True)


@pytest.fixture
def demo(demo_counter: StagedCounter) -> Iterator[Client]:
    with serving(demo_counter) as server, Client(server.url) as client:
        yield client


def test_a_demo_card_is_held_to_the_reader_from_the_page(demo: Client):
    cards = demo.get("/api/v1/demo/cards").json()
    assert {"uid": HONG.uid, "label": HONG.label} in cards
    answer = demo.post("/api/v1/demo/cards", json={"uid": HONG.uid})
    assert answer.status_code == 200
    assert answer.json()["patient"]["patient_id"] == HONG.patient_id
    assert demo.post("/api/v1/demo/cards", json={"uid": NOBODY}).json()["screen"] == "unknown_card"


@pytest.mark.parametrize("body", [b"", b"{}", b'{"uid": 5}', b'{"uid": ""}', b'{"uid": "00"}'])
def test_a_demo_card_that_is_none_is_a_bad_request(demo: Client, body: bytes):
    answer = demo.post("/api/v1/demo/cards", data=body)
    assert answer.status_code == 400
    assert set(answer.json()) == {"error", "code"}


def test_the_page_starts_in_the_first_language_of_the_site_that_it_speaks(kiosk: Client, counter: StagedCounter):
    assert '<html lang="ko">' in kiosk.get("/").text
    counter.show(replace(counter.screen(), languages=("fr", "en")))
    page = kiosk.get("/").text
    assert '<html lang="en">' in page
    assert "One moment, please" in page
    counter.show(replace(counter.screen(), languages=("fr",)))
    assert '<html lang="en">' in kiosk.get("/").text


def test_the_page_carries_nobody_in_its_markup(kiosk: Client, counter: StagedCounter):
    counter.tap(HONG)
    page = kiosk.get("/").text
    assert HONG.masked_name not in page
    assert HONG.patient_id not in page
