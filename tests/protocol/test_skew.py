"""Two versions of the protocol side by side: an old kiosk at this centre, and this kiosk at an old centre.

The other end is what was committed when it was current: its messages, byte for byte as they lie in tests/fixtures.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest
import requests
from werkzeug.serving import WSGIRequestHandler, make_server

from kiosk.store.sqlite import Store as KioskStore
from sync.agent.client import CentralClient
from sync.agent.dialect import Dialect
from sync.agent.steps import Puller, Pusher
from sync.cards import CardHash
from sync.central.web.app import create_app
from sync.central.web.socket_limits import SocketLimits
from sync.clock import ClockReading
from sync.protocol import (
    PROTOCOL_VERSION,
    SUPPORTED_VERSIONS,
    CallRefused,
    Code,
    EndCode,
    Enrolment,
    Verdict,
    VerdictRow,
    spoken,
)
from tests.kiosk.parts import KioskParts
from tests.sync.central.wire import Centre, Time

V1 = Path(__file__).parents[1] / "fixtures" / "protocol-v1"
NINE = 1_772_409_600_000
# The words that version 1 knew, as its document said them.
CODES_OF_1 = frozenset(
    {"ok", "already_so", "visit_alias", "moved_on", "earlier_leg", "late", "cancelled", "unknown_card"}
    | {"unknown_patient", "rebound", "depends", "money", "not_allowed", "forbidden", "old_rules", "quarantined"}
)


def v1(name: str) -> Any:
    return json.loads((V1 / f"{name}.json").read_bytes())


def members(value: Any, like: Any, at: str = "$") -> Iterator[str]:
    """The members that the one has and the other lacks, wherever both have an object in the same place."""
    if isinstance(value, dict) and isinstance(like, dict):
        for name, item in like.items():
            if name not in value:
                yield f"{at}.{name}"
            else:
                yield from members(value[name], item, f"{at}.{name}")
    elif isinstance(value, list) and isinstance(like, list) and value and like:
        yield from members(value[0], like[0], f"{at}[0]")


# A kiosk of version 1 at this centre.


class _Quiet(WSGIRequestHandler):
    def log(self, *_: object) -> None:
        """Nothing: what goes wrong shows in the test."""


class OldKiosk:
    """The committed messages of version 1, sent to this centre on a real port."""

    def __init__(self, centre: Centre, url: str) -> None:
        enrolment = centre.enrol("B", kiosk_id="kiosk-1")
        self._url, self._token = url, enrolment.token

    def post(self, call: str, message: Any) -> requests.Response:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._token}"}
        return requests.post(f"{self._url}/api/v1/sync/{call}", json.dumps(message), headers=headers, timeout=20)


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    time = Time()
    time.now_ms = NINE + 60_000
    made = Centre(tmp_path / "centre.db", time)
    yield made
    made.store.close()


@pytest.fixture
def old_kiosk(centre: Centre) -> Iterator[OldKiosk]:
    server = make_server(
        "127.0.0.1", 0, create_app(centre.service, SocketLimits(2), 2), threaded=True, request_handler=_Quiet
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield OldKiosk(centre, f"http://127.0.0.1:{server.server_port}")
    centre.store.news.close()
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_push_of_version_1_is_judged_and_answered_in_its_words(centre: Centre, old_kiosk: OldKiosk):
    answer = old_kiosk.post("push", v1("push-request"))
    assert answer.status_code == 200, answer.text
    told = answer.json()
    # The committed bodies name a binding and a booking that this hospital has not: that is no conflict.
    assert [(row["verdict"], row["code"]) for row in told["verdicts"]] == [("applied", "ok")] * 3
    assert list(members(told, v1("push-answer"))) == []
    assert centre.journey("P1").state == "WAITING"
    again = old_kiosk.post("push", v1("push-request")).json()
    assert [row["action_id"] for row in again["verdicts"]] == [row["action_id"] for row in told["verdicts"]]


def test_a_pull_of_version_1_is_answered_with_all_that_it_knew(centre: Centre, old_kiosk: OldKiosk):
    request = {**v1("pull-request"), "cursor": 0, "wait_s": 0, "definitions_version": 0}
    page = old_kiosk.post("pull", request).json()
    missing = list(members(page, {**v1("pull-answer"), "verdicts": [], "definitions": {}}))
    # Lists that are empty here have no first element to look into.
    assert [name for name in missing if "[0]" not in name] == []
    assert page["newest_version"] == PROTOCOL_VERSION


def test_a_kiosk_of_version_1_is_told_no_word_that_it_does_not_know(centre: Centre, old_kiosk: OldKiosk):
    push = v1("push-request")
    with centre.store.write() as db:
        db.execute("update kiosks set actions = '[\"scan_nfc\"]'")
    held_back = old_kiosk.post("push", push).json()["verdicts"]
    assert [row["code"] for row in held_back] == ["ok", "forbidden", "forbidden"]
    cursor = old_kiosk.post("pull", {**v1("pull-request"), "cursor": 0, "wait_s": 0}).json()["cursor"]
    assert centre.settle("discard", reason="a test").done
    page = old_kiosk.post("pull", {**v1("pull-request"), "cursor": cursor, "wait_s": 0, "server_incarnation": "first"})
    told = {row["code"] for row in page.json()["verdicts"]}
    assert told == {"moved_on"}
    newer = {**v1("pull-request"), "protocol_version": 2, "cursor": cursor, "wait_s": 0, "server_incarnation": "first"}
    assert {row["code"] for row in old_kiosk.post("pull", newer).json()["verdicts"]} == {"discarded"}


@pytest.mark.parametrize("code", list(Code))
def test_every_code_has_a_word_of_version_1(code: Code):
    row = VerdictRow(action_id="a", seq=1, verdict=Verdict.SUPERSEDED, code=code)
    assert spoken(row, 1).code in CODES_OF_1
    assert spoken(row, 2) is row


def test_a_merged_record_is_one_that_has_left_to_a_kiosk_of_version_1(centre: Centre, old_kiosk: OldKiosk):
    cursor = old_kiosk.post("pull", {**v1("pull-request"), "cursor": 0, "wait_s": 0}).json()["cursor"]
    assert centre.merge("P1", "P2").done
    request = {**v1("pull-request"), "cursor": cursor, "wait_s": 0, "server_incarnation": "first"}
    page = old_kiosk.post("pull", request).json()
    assert page["gone"] == ["P2"]
    assert [row["patient_id"] for row in page["patients"]] == ["P1"]


def test_a_version_that_is_not_spoken_is_refused_with_those_that_are(old_kiosk: OldKiosk):
    answer = old_kiosk.post("push", {**v1("push-request"), "protocol_version": 3})
    assert answer.status_code == 400
    assert (answer.json()["code"], answer.json()["versions"]) == ("unsupported_version", [1, 2])


# This kiosk at a centre of version 1.


class OldCentre(ThreadingHTTPServer):
    """A centre as it was: it refuses what is not version 1 in the words of then, and answers as was committed."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _OldAnswers)
        self.asked: list[tuple[str, int]] = []
        self.pushed: list[Any] = []
        self.speaks = frozenset({1})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _OldAnswers(BaseHTTPRequestHandler):
    server: OldCentre

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        call = self.path.rsplit("/", 1)[1]
        self.server.asked.append((call, request["protocol_version"]))
        if request["protocol_version"] not in self.server.speaks:
            self._send(400, {"code": "unsupported_version", "error": "versions of the protocol spoken here: 1"})
        elif call == "pull":
            self._send(200, {**v1("pull-answer"), "retry_after_s": None, "from_cursor": request["cursor"]})
        else:
            self.server.pushed += request["actions"]
            self._send(200, {**v1("push-answer"), "verdicts": [_verdict(each) for each in request["actions"]]})

    def _send(self, status: int, body: Any) -> None:
        encoded = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    def log_message(self, *_: object) -> None:
        """Nothing: what goes wrong shows in the test."""


def _verdict(pushed: Any) -> Any:
    body = pushed["body"]
    return {
        "action_id": body["action_id"],
        "seq": body["seq"],
        "verdict": "applied",
        "code": "ok",
        "revision": 0,
        "patient_id": body["patient_id"],
        "visit_id": body["visit_id"],
        "journey": None,
    }


@pytest.fixture
def old_centre() -> Iterator[OldCentre]:
    server = OldCentre()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def kiosk(tmp_path: Path) -> Iterator[KioskParts]:
    store = KioskStore(tmp_path / "kiosk.db")
    made = KioskParts(store, lambda: ClockReading(NINE, 1000, "boot", synchronised=True))
    made.ledger.enrol(msgspec.convert(v1("enrolment"), Enrolment))
    yield made
    store.close()


def test_this_kiosk_goes_back_to_version_1_where_the_centre_speaks_no_other(old_centre: OldCentre, kiosk: KioskParts):
    client = CentralClient(old_centre.url, "token")
    puller, pusher = Puller(kiosk.ledger, client, wait_s=0), Pusher(kiosk.ledger, client)
    assert puller.run_once().again, "refused, and tried again at once"
    assert puller.run_once().touched == {"P0", "P1"}
    assert kiosk.journeys.patient_status("P1") is not None
    tapped = kiosk.journeys.check_in_unknown("card-1", [CardHash("k1", "cd" * 32)], "scan_nfc", None)  # type: ignore[arg-type]
    assert tapped.action_ids
    assert pusher.run_once().again
    pusher.run_once()
    assert kiosk.pending() == 0
    assert old_centre.asked == [("pull", 2), ("pull", 1), ("push", 2), ("push", 1)]
    assert [set(each) for each in old_centre.pushed] == [{"hash", "body"}], "nothing that version 1 had no name for"
    puller.run_once()
    assert old_centre.asked[-1] == ("pull", 1), "what the centre speaks is remembered"
    client.close()


def test_a_restored_centre_of_version_1_is_not_told_what_the_kiosk_had_been_told(
    old_centre: OldCentre, kiosk: KioskParts
):
    tapped = kiosk.journeys.check_in_unknown("card-1", [CardHash("k1", "cd" * 32)], "scan_nfc", None)  # type: ignore[arg-type]
    kiosk.ledger.settle(
        [VerdictRow(action_id=tapped.action_ids[0], seq=1, verdict=Verdict.NEEDS_STAFF, code=Code.UNKNOWN_CARD)]
    )
    restored = msgspec.convert({**v1("enrolment"), "server_incarnation": "another"}, Enrolment)
    kiosk.ledger.enrol(restored)
    assert [each.held is not None for each in kiosk.ledger.batch(10, None)] == [True], "what version 2 is told"
    client = CentralClient(old_centre.url, "token")
    pusher = Pusher(kiosk.ledger, client)
    while kiosk.pending():
        assert not pusher.run_once().failed
    assert [set(each) for each in old_centre.pushed] == [{"hash", "body"}]
    client.close()


def test_a_centre_that_speaks_nothing_of_ours_is_asked_again_from_the_newest():
    dialect = Dialect()
    said = CallRefused(code=EndCode.UNSUPPORTED_VERSION, error="9", versions=(9,))
    assert not dialect.refused(said)
    assert dialect.version == PROTOCOL_VERSION
    silent = CallRefused(code=EndCode.UNSUPPORTED_VERSION, error="?")
    assert [dialect.refused(silent) for _ in SUPPORTED_VERSIONS] == [True, False]


def test_an_update_of_the_centre_is_followed_at_its_next_answer():
    dialect = Dialect(1)
    dialect.heard(1)
    assert dialect.version == 1
    dialect.heard(7)
    assert dialect.version == PROTOCOL_VERSION
