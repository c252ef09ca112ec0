"""Look-ups against good and bad servers on real sockets: what the centre says, and that nothing else waits for it."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from sync.agent.client import CentralClient
from sync.agent.lookup import Cards, Lookups
from sync.protocol import CallRefused, EndCode, LookupAnswer, LookupRequest
from tests.kiosk import samples
from tests.kiosk.parts import KioskParts
from tests.kiosk.samples import Clock, cards

from .peers import WAIT_S, RawPeer, Request, Script, http, nobody, sending

NEW = 7


@pytest.fixture
def kiosk(tmp_path: Path) -> Iterator[KioskParts]:
    parts = samples.enrolled(tmp_path, Clock())
    yield parts
    parts.store.close()


class Asked:
    """Look-ups of a kiosk at a server, and what they announced."""

    def __init__(self, kiosk: KioskParts, url: str) -> None:
        self.told: queue.SimpleQueue[tuple[Cards, bool]] = queue.SimpleQueue()
        connect = lambda: CentralClient(url, "token-1", deadline_s=WAIT_S)  # noqa: E731
        self.lookups = Lookups(kiosk.ledger, connect, lambda cards, answered: self.told.put((cards, answered)))

    def __enter__(self) -> Asked:
        self.lookups.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.lookups.stop(WAIT_S)

    def ask(self, number: int = NEW) -> tuple[Cards, bool]:
        self.lookups.ask(cards(number))
        return self.told.get(timeout=WAIT_S)


def refused(code: EndCode, status: str) -> bytes:
    return http(status, msgspec.json.encode(CallRefused(code=code, error="no")))


def found(number: int | None, change: int = 50, site_id: str = samples.SITE_ID) -> bytes:
    patient = samples.row(number, change=change) if number is not None else None
    answer = LookupAnswer(site_id=site_id, server_incarnation="one", patient=patient, versions=(2,))
    return http("200 OK", msgspec.json.encode(answer))


def test_a_patient_is_in_the_store_before_anybody_is_told(kiosk: KioskParts):
    with RawPeer(sending(found(NEW), keep=True)) as peer, Asked(kiosk, peer.url) as asked:
        assert asked.ask() == (cards(NEW), True)
        assert kiosk.patient_of_card(cards(NEW)) == "P7"
        request = msgspec.json.decode(peer.requests[0].body, type=LookupRequest)
    assert peer.requests[0].path == "/api/v1/sync/lookup"
    assert peer.requests[0].headers["authorization"] == "Bearer token-1"
    assert (request.kiosk_id, request.card) == ("kiosk-1", cards(NEW)[0])


def test_a_card_of_nobody_is_an_answer_too(kiosk: KioskParts):
    with RawPeer(sending(found(None), keep=True)) as peer, Asked(kiosk, peer.url) as asked:
        assert asked.ask() == (cards(NEW), True)
    assert kiosk.patient_of_card(cards(NEW)) is None


@pytest.mark.parametrize(
    "answer",
    [
        refused(EndCode.TRY_LATER, "503 Service Unavailable"),
        refused(EndCode.ENDED, "401 Unauthorized"),
        refused(EndCode.UNSUPPORTED_VERSION, "400 Bad Request"),
        http("200 OK", b"<html>a portal</html>"),
        http("200 OK", b'{"patient": null}'),
        http("502 Bad Gateway"),
        found(NEW, site_id="another"),
        b"",
    ],
)
def test_anything_else_is_no_answer_and_the_next_card_is_asked_about(kiosk: KioskParts, answer: bytes):
    with RawPeer(sending(answer)) as peer, Asked(kiosk, peer.url) as asked:
        assert asked.ask() == (cards(NEW), False)
        peer.script = sending(found(NEW))
        assert asked.ask() == (cards(NEW), True)


def test_a_centre_that_is_away_is_no_answer(kiosk: KioskParts):
    with nobody() as url, Asked(kiosk, url) as asked:
        assert asked.ask() == (cards(NEW), False)


def test_a_row_that_cannot_be_written_is_no_answer_and_does_not_end_the_look_ups(kiosk: KioskParts):
    with RawPeer(sending(found(NEW), keep=True)) as peer, Asked(kiosk, peer.url) as asked:
        with kiosk.store.write() as db:
            db.execute("create trigger broken before insert on patients begin select raise(abort, 'no'); end")
        assert asked.ask() == (cards(NEW), False)
        with kiosk.store.write() as db:
            db.execute("drop trigger broken")
        assert asked.ask() == (cards(NEW), True)


def test_of_the_cards_that_wait_the_newest_is_asked_about(kiosk: KioskParts):
    answers = threading.Event()

    def script(connection: socket.socket, _: Request) -> object:
        assert answers.wait(WAIT_S)
        connection.sendall(found(None))
        return True

    with RawPeer(script) as peer, Asked(kiosk, peer.url) as asked:
        asked.lookups.ask(cards(1))
        peer.wait_for_request()
        asked.lookups.ask(cards(2))
        asked.lookups.ask(cards(3))
        answers.set()
        assert [asked.told.get(timeout=WAIT_S)[0] for _ in range(2)] == [cards(1), cards(3)]
    assert len(peer.requests) == 2


def test_a_stop_cancels_the_call_and_tells_nobody(kiosk: KioskParts):
    def silent(_: socket.socket, __: Request) -> object:
        return peer.over.wait(WAIT_S)

    script: Script = silent
    with RawPeer(script) as peer:
        asked = Asked(kiosk, peer.url)
        asked.lookups.start()
        asked.lookups.ask(cards(NEW))
        peer.wait_for_request()
        asked.lookups.stop(WAIT_S)
        assert not asked.lookups._thread.is_alive()
        assert asked.told.empty()


def test_a_stop_without_a_question_ends_at_once(kiosk: KioskParts):
    with nobody() as url, Asked(kiosk, url):
        pass


def test_a_look_up_that_a_filter_refuses_says_what_helps_until_one_is_answered(kiosk: KioskParts):
    page = b"<html><head><title>Request blocked</title></head></html>"
    with RawPeer(sending(http("403 Forbidden", page))) as peer, Asked(kiosk, peer.url) as asked:
        assert asked.ask() == (cards(NEW), False)
        assert asked.lookups.reason.startswith('web_page: HTTP 403 with a web page titled "Request blocked"')
        assert asked.lookups.reason.endswith("let the network pass POST /api/v1/sync/lookup and its answers unread")
        assert not any(each.uid_hash in asked.lookups.reason for each in cards(NEW))
        peer.script = sending(found(NEW))
        assert asked.ask() == (cards(NEW), True)
        assert asked.lookups.reason == ""


def test_a_look_up_without_a_network_blames_no_filter(kiosk: KioskParts):
    with nobody() as url, Asked(kiosk, url) as asked:
        assert asked.ask() == (cards(NEW), False)
        assert asked.lookups.reason.startswith("refused: ")
        assert "let the network pass" not in asked.lookups.reason
