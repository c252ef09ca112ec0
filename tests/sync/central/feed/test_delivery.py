"""The threads of the webhooks: news wake them, a receiver that hangs holds up nobody, and a killed service goes on."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.central.feed.delivery import Delivery
from sync.control import ask, socket_path
from tests.sync.central.centre import Centre, patient
from tests.sync.central.feed.receiver import WebhookReceiver
from tests.sync.central.test_server import Process


@pytest.fixture
def receivers() -> Iterator[list[WebhookReceiver]]:
    made = [WebhookReceiver(), WebhookReceiver()]
    yield made
    for each in made:
        each.close()


def test_a_receiver_that_hangs_holds_up_no_other_one(centre: Centre, receivers: list[WebhookReceiver]):
    hanging, other = receivers
    release = threading.Event()

    def hang(_: object) -> int:
        release.wait()
        return 204

    hanging.answer = hang
    for each in receivers:
        centre.do("webhook-add", url=each.url)
    delivery = Delivery(centre.parts, 0.05)
    delivery.start()
    centre.walk(patient(1), "scan_nfc", "register", "confirm_arrival")
    other.wait_until(lambda: len(other.taken) == 2)
    assert hanging.taken == []
    release.set()
    hanging.wait_until(lambda: len(hanging.taken) == 2)
    delivery.stop()


def test_a_webhook_that_is_added_or_removed_while_it_runs_counts(centre: Centre, receivers: list[WebhookReceiver]):
    one, two = receivers
    delivery = Delivery(centre.parts, 0.05)
    delivery.start()
    first = centre.do("webhook-add", url=one.url)["webhook_id"]
    centre.walk(patient(1), "scan_nfc")
    one.wait_until(lambda: len(one.taken) == 1)
    centre.do("webhook-remove", webhook_id=first)
    centre.do("webhook-add", url=two.url)
    centre.walk(patient(2), "scan_nfc")
    two.wait_until(lambda: len(two.taken) == 1)
    delivery.stop()
    assert len(one.taken) == 1


@pytest.mark.processes
def test_a_service_that_is_killed_sends_the_rest_after_its_start(tmp_path: Path, receivers: list[WebhookReceiver]):
    receiver, _ = receivers
    process = Process(tmp_path)
    token = process.demo_token()
    receiver.secret = process.command("webhooks add", receiver.url)
    receiver.answer = lambda _: 503
    assert process.act(token, "scan_nfc").ok
    receiver.wait_until(lambda: len(receiver.came) == 1)
    process.stop(signal.SIGKILL)
    receiver.answer = lambda _: 204
    again = Process(tmp_path)
    (webhook,) = ask(socket_path(again.path), "webhooks")
    again.command("webhooks retry", webhook["webhook_id"])
    receiver.wait_until(lambda: len(receiver.taken) == 1)
    assert receiver.taken[0]["type"] == "arrived"
    again.stop()
