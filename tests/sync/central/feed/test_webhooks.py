"""A webhook from its making to its end: signed, in order, again after a failure, and given up after a day."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from sync import clock as machine
from sync.central.feed.courier import PATIENCE_MS, REFUSALS, Courier
from sync.central.feed.posting import Poster
from sync.clock import DAY_MS
from sync.control import ControlError
from tests.authority import Authority
from tests.sync.central.centre import ZONE, Centre, Clock, hospital, patient
from tests.sync.central.feed.receiver import WebhookReceiver

VISIT = ("scan_nfc", "register", "confirm_arrival", "call_patient", "start_exam", "complete_exam")
TOLD = ["arrived", "number_given", "called", "started", "completed"]


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    made = WebhookReceiver()
    yield made
    made.close()


@pytest.fixture
def centre(database: Any, tmp_path: Path) -> Iterator[Centre]:
    """A centre whose clock stands at the present time."""
    now_ms = machine.now_ms()
    made = Centre(tmp_path, Clock(now_ms), filled=False, database=database)
    made.take(hospital(machine.site_day(now_ms, ZONE, "04:00"), 10))
    yield made
    made.store.close()


class Killed(Exception):
    """The end of a process, as the sender sees it."""


def added(centre: Centre, receiver: WebhookReceiver, **more: object) -> str:
    made = centre.do("webhook-add", url=receiver.url, **more)
    receiver.secret = made["secret"]
    return str(made["webhook_id"])


def courier(centre: Centre, webhook_id: str) -> Courier:
    return Courier(centre.parts, webhook_id, Poster().post)


def send(centre: Centre, webhook_id: str) -> None:
    """Sends until nothing is left, or until it is to wait."""
    sender = courier(centre, webhook_id)
    while sender.step():
        pass


def types(messages: list[dict[str, Any]]) -> list[str]:
    return [message["type"] for message in messages]


def standing(centre: Centre) -> dict[str, Any]:
    (found,) = centre.do("webhooks")
    return dict(found)


def test_what_happens_from_now_on_is_sent_in_order_and_signed(centre: Centre, receiver: WebhookReceiver):
    centre.walk(patient(1), "scan_nfc")
    webhook_id = added(centre, receiver)
    centre.walk(patient(2), *VISIT)
    send(centre, webhook_id)
    assert types(receiver.taken) == TOLD
    headers, _ = receiver.raw[0]
    assert headers["content-type"] == "application/json"
    first = receiver.taken[0]
    assert (first["timestamp"], receiver.ids[0]) == (first["data"]["recorded"], first["data"]["id"])
    send(centre, webhook_id)
    assert len(receiver.came) == len(TOLD), "nothing comes twice"
    assert (standing(centre)["is_behind"], standing(centre)["dead"]) == (False, 0)


def test_a_webhook_may_begin_with_the_oldest_event_and_get_some_types_alone(centre: Centre, receiver: WebhookReceiver):
    centre.walk(patient(1), *VISIT)
    send(centre, added(centre, receiver, oldest=True, types=["called", "completed"]))
    assert types(receiver.taken) == ["called", "completed"]


def test_another_secret_or_another_body_does_not_pass_the_library(centre: Centre, receiver: WebhookReceiver):
    webhook_id = added(centre, receiver)
    centre.walk(patient(1), "scan_nfc")
    send(centre, webhook_id)
    headers, body = receiver.raw[0]
    Webhook(receiver.secret).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(receiver.secret).verify(body + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "A" * 43 + "=").verify(body, headers)


def test_both_secrets_sign_for_a_day_after_a_change(centre: Centre, receiver: WebhookReceiver):
    webhook_id = added(centre, receiver)
    former = receiver.secret
    current = centre.do("webhook-rotate", webhook_id=webhook_id)["secret"]
    centre.walk(patient(1), "scan_nfc")
    send(centre, webhook_id)
    headers, body = receiver.raw[0]
    assert Webhook(current).verify(body, headers) == Webhook(former).verify(body, headers)
    receiver.secret = ""
    centre.clock.now_ms += DAY_MS
    centre.walk(patient(2), "scan_nfc")
    send(centre, webhook_id)
    assert len(receiver.raw[-1][0]["webhook-signature"].split()) == 1


def test_a_failed_message_comes_again_under_its_id_and_those_behind_it_wait(centre: Centre, receiver: WebhookReceiver):
    webhook_id = added(centre, receiver)
    receiver.answer = lambda _: 503
    centre.walk(patient(1), "scan_nfc", "register", "confirm_arrival")
    send(centre, webhook_id)
    send(centre, webhook_id)
    assert types(receiver.came) == ["arrived"], "the pause is not over"
    found = standing(centre)
    assert (found["tries"], found["why"]) == (1, "HTTP 503")
    assert found["next_ms"] > centre.clock()
    receiver.answer = lambda _: 200
    centre.clock.now_ms = found["next_ms"]
    send(centre, webhook_id)
    assert types(receiver.taken) == ["arrived", "number_given"]
    assert receiver.ids[0] == receiver.ids[1]
    assert (standing(centre)["tries"], standing(centre)["failing_since_ms"], standing(centre)["why"]) == (0, None, "")


def test_the_pause_doubles_up_to_an_hour_and_a_receiver_may_ask_for_a_longer_one(
    centre: Centre, receiver: WebhookReceiver
):
    webhook_id = added(centre, receiver)
    receiver.answer, receiver.secret = (lambda _: 500), ""
    centre.walk(patient(1), "scan_nfc")
    pauses = []
    for _ in range(14):
        send(centre, webhook_id)
        pauses.append((standing(centre)["next_ms"] - centre.clock()) / 1000)
        centre.clock.now_ms = standing(centre)["next_ms"]
    longest = [min(5 * 2**n, 3600) for n in range(14)]
    assert all(each / 2 <= pause <= each for pause, each in zip(pauses, longest, strict=True))
    receiver.answer, receiver.headers = (lambda _: 429), {"Retry-After": "3600"}
    send(centre, webhook_id)
    assert standing(centre)["next_ms"] - centre.clock() == 3_600_000


def test_what_nobody_has_taken_for_a_day_is_a_dead_letter_and_newer_events_still_wait(
    centre: Centre, receiver: WebhookReceiver
):
    webhook_id = added(centre, receiver)
    receiver.answer, receiver.secret = (lambda _: 500), ""
    centre.walk(patient(1), "scan_nfc", "register", "confirm_arrival")
    send(centre, webhook_id)
    centre.clock.now_ms += PATIENCE_MS // 2
    centre.walk(patient(2), "scan_nfc")
    send(centre, webhook_id)
    centre.clock.now_ms += PATIENCE_MS // 2
    send(centre, webhook_id)
    dead = centre.do("webhook-dead", webhook_id=webhook_id)["dead"]
    assert [each["why"] for each in dead] == ["HTTP 500"] * 2
    receiver.answer = lambda _: 204
    centre.clock.now_ms = standing(centre)["next_ms"]
    send(centre, webhook_id)
    assert [message["data"]["patient_id"] for message in receiver.taken if message["type"] == "arrived"] == [patient(2)]
    assert centre.do("webhook-retry", webhook_id=webhook_id) == 2
    send(centre, webhook_id)
    assert types(receiver.taken)[-2:] == ["arrived", "number_given"]
    assert standing(centre)["dead"] == 0


@pytest.mark.parametrize("status", [400, 422])
def test_a_message_that_is_refused_again_and_again_holds_up_the_others_for_minutes_alone(
    centre: Centre, receiver: WebhookReceiver, status: int
):
    webhook_id = added(centre, receiver)
    receiver.answer = lambda message: status if message["type"] == "arrived" else 204
    receiver.secret = ""
    centre.walk(patient(1), "scan_nfc", "register", "confirm_arrival")
    begin_ms = centre.clock()
    for _ in range(REFUSALS):
        send(centre, webhook_id)
        centre.clock.now_ms = max(centre.clock(), standing(centre)["next_ms"])
    assert types(receiver.taken) == ["number_given"]
    assert centre.clock() - begin_ms < 10 * 60_000
    (dead,) = centre.do("webhook-dead", webhook_id=webhook_id)["dead"]
    assert (dead["event_id"], dead["why"]) == (receiver.came[0]["data"]["id"], f"HTTP {status}")
    centre.do("webhook-retry", webhook_id=webhook_id, event_id=dead["event_id"])
    send(centre, webhook_id)
    assert len(centre.do("webhook-dead", webhook_id=webhook_id)["dead"]) == 1, "it is as dead as before"


def test_a_receiver_that_wants_no_more_gets_no_more_until_an_operator_says_so(
    centre: Centre, receiver: WebhookReceiver
):
    webhook_id = added(centre, receiver)
    receiver.answer = lambda _: 410
    centre.walk(patient(1), "scan_nfc")
    send(centre, webhook_id)
    receiver.answer = lambda _: 204
    assert standing(centre)["ended_ms"] == centre.clock()
    send(centre, webhook_id)
    assert receiver.taken == []
    centre.do("webhook-retry", webhook_id=webhook_id)
    send(centre, webhook_id)
    assert types(receiver.taken) == ["arrived"]


def test_a_redirect_is_not_followed_and_does_not_count(centre: Centre, receiver: WebhookReceiver):
    webhook_id = added(centre, receiver)
    receiver.answer, receiver.headers = (lambda _: 302), {"Location": receiver.url}
    centre.walk(patient(1), "scan_nfc")
    send(centre, webhook_id)
    assert (len(receiver.came), standing(centre)["why"]) == (1, "HTTP 302")


def test_a_receiver_that_is_not_there_is_tried_again(centre: Centre, receiver: WebhookReceiver):
    webhook_id = added(centre, receiver)
    receiver.close()
    centre.walk(patient(1), "scan_nfc")
    send(centre, webhook_id)
    assert standing(centre)["why"] == "ConnectionError"


def test_a_certificate_of_the_systems_store_is_trusted_and_no_other(
    centre: Centre, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    authority = Authority(tmp_path / "ca")
    receiver = WebhookReceiver(authority.server("127.0.0.1"))
    webhook_id = added(centre, receiver)
    centre.walk(patient(1), "scan_nfc")
    send(centre, webhook_id)
    assert (standing(centre)["why"], receiver.came) == ("SSLError", [])
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.root))
    centre.do("webhook-retry", webhook_id=webhook_id)
    send(centre, webhook_id)
    assert types(receiver.taken) == ["arrived"]
    receiver.close()


def test_a_sender_that_died_sends_again_what_it_had_not_noted(centre: Centre, receiver: WebhookReceiver):
    webhook_id = added(centre, receiver)
    centre.walk(patient(1), *VISIT)

    def is_stopped() -> bool:
        if len(receiver.taken) == 2:
            raise Killed
        return False

    with pytest.raises(Killed):
        courier(centre, webhook_id).step(is_stopped)
    send(centre, webhook_id)
    assert types(receiver.taken) == [*TOLD[:2], *TOLD]
    assert receiver.ids[:2] == receiver.ids[2:4]


def test_a_sender_that_is_told_to_stop_notes_how_far_it_is(centre: Centre, receiver: WebhookReceiver):
    webhook_id = added(centre, receiver)
    centre.walk(patient(1), *VISIT)
    courier(centre, webhook_id).step(lambda: len(receiver.taken) == 2)
    send(centre, webhook_id)
    assert types(receiver.taken)[-3:] == TOLD[2:]
    assert len(receiver.taken) <= len(TOLD) + 1


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://engine.example/x", "cross the network in clear"),
        ("ftp://engine.example/x", "none such as"),
        ("https://", "none such as"),
        ("https://user:secret@engine.example/", "a login"),
        ("https://engine.example/#x", "a login or a fragment"),
        ("https://engine.example/a b", "none such as"),
        ("https://[::1/", "none such as"),
    ],
)
def test_a_url_that_cannot_be_or_is_not_protected_is_refused(centre: Centre, url: str, why: str):
    with pytest.raises(ControlError, match=why):
        centre.do("webhook-add", url=url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x", "http://[::1]/", "http://localhost/", "https://e.example/"])
def test_https_and_this_machine_need_no_leave(centre: Centre, url: str):
    assert centre.do("webhook-add", url=url)["secret"].startswith("whsec_")


def test_http_to_another_machine_needs_leave(centre: Centre):
    assert centre.do("webhook-add", url="http://engine.example/", insecure=True)


def test_no_list_and_no_row_of_the_audit_shows_a_secret(centre: Centre, receiver: WebhookReceiver):
    webhook_id = added(centre, receiver)
    centre.walk(patient(1), "scan_nfc")
    send(centre, webhook_id)
    shown = str(centre.do("webhooks")) + str(centre.rows("select detail from audit"))
    assert receiver.secret.removeprefix("whsec_") not in shown


def test_a_removed_webhook_and_an_unknown_one_get_nothing(centre: Centre, receiver: WebhookReceiver):
    webhook_id = added(centre, receiver)
    centre.do("webhook-remove", webhook_id=webhook_id)
    centre.walk(patient(1), "scan_nfc")
    send(centre, webhook_id)
    assert (receiver.came, centre.do("webhooks")) == ([], [])
    for operation in ("webhook-remove", "webhook-rotate", "webhook-dead", "webhook-retry"):
        with pytest.raises(ControlError, match="there is no webhook"):
            centre.do(operation, webhook_id=webhook_id)


def test_the_function_of_the_document_verifies_a_message_and_no_other(centre: Centre, receiver: WebhookReceiver):
    document = (Path(__file__).parents[4] / "docs" / "integration.md").read_text("utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", document, re.DOTALL)
    made: dict[str, Any] = {}
    exec(code, made)
    webhook_id = added(centre, receiver)
    centre.walk(patient(1), "scan_nfc")
    send(centre, webhook_id)
    headers, body = receiver.raw[0]
    now_s = centre.clock() / 1000
    assert made["is_genuine"](receiver.secret, headers, body, now_s)
    assert not made["is_genuine"](receiver.secret, headers, body + b" ", now_s)
    assert not made["is_genuine"](receiver.secret, headers, body, now_s + 301)
    assert not made["is_genuine"]("whsec_" + "A" * 43 + "=", headers, body, now_s)
