"""Pulls in their usual form do not go through Flask, and are answered word for word as by Flask."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import requests

from sync.central.records.tokens import hash_of, revoke
from sync.central.services.access_log import write_tallies
from sync.central.web.app import create_app
from sync.central.web.socket_places import SocketPlaces
from sync.protocol import EndCode, Enrolment, PullRequest
from tests.sync.central.gateway.in_thread import GatewayInThread, WorkerInThread
from tests.sync.central.wire import Centre, Time

PATIENCE_S = 30
PULL = "/api/v1/sync/pull"


class Door:
    """A centre behind its gateway, with a kiosk whose token the worker knows, and the same centre without a gateway."""

    def __init__(self, directory: Path) -> None:
        self.centre = Centre(directory / "centre.db", Time())
        self.by_flask = 0
        app = create_app(self.centre.parts, SocketPlaces(1))
        app.before_request(self._count)
        self._gateway = GatewayInThread([WorkerInThread(app, self.centre.store.news.close)])
        self._bare = create_app(self.centre.parts, SocketPlaces(1)).test_client()
        self.kiosk: Enrolment = self.centre.enrol()
        for _ in range(2):
            assert self.pull(self.message()).status_code == 200

    def _count(self) -> None:
        self.by_flask += 1

    def message(self, **changes: Any) -> bytes:
        fields: dict[str, Any] = {"protocol_version": 2, "site_id": self.kiosk.site_id, "epoch": 1, "cursor": 0}
        fields |= {"kiosk_id": self.kiosk.kiosk_id, "definitions_version": self.kiosk.definitions["version"]}
        return msgspec.json.encode(PullRequest(**(fields | changes)))

    def pull(self, body: bytes, token: str | None = None) -> requests.Response:
        """The answer through the gateway."""
        return requests.post(f"http://127.0.0.1:{self._gateway.port}{PULL}", body, **self._with(token))

    def pull_by_flask(self, body: bytes) -> Any:
        """The answer of Flask's own route."""
        return self._bare.post(PULL, data=body, headers={"Authorization": f"Bearer {self.kiosk.token}"})

    def _with(self, token: str | None) -> dict[str, Any]:
        return {"headers": {"Authorization": f"Bearer {token or self.kiosk.token}"}, "timeout": PATIENCE_S}

    def close(self) -> None:
        self._gateway.close()
        self.centre.store.close()


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    made = Door(tmp_path)
    yield made
    made.close()


_OF_THE_GATEWAY = frozenset({"date", "server", "connection", "x-request-id"})


def parts(answer: Any) -> tuple[int, dict[str, str], Any]:
    """Status, headers and body, without the names that the gateway adds."""
    headers = {name.lower(): value for name, value in answer.headers.items() if name.lower() not in _OF_THE_GATEWAY}
    body = answer.content if isinstance(answer, requests.Response) else answer.data
    return answer.status_code, headers, msgspec.json.decode(body)


def test_a_pull_of_a_known_kiosk_is_answered_without_flask_as_by_flask(door: Door):
    before = door.by_flask
    answer = door.pull(door.message())
    assert door.by_flask == before
    assert parts(answer) == parts(door.pull_by_flask(door.message()))
    assert [row["patient_id"] for row in answer.json()["patients"]]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff", b"[]", b"[" * 100_000, b"{}" + b" " * 70_000, b'{"protocol_version": 9}'],
    ids=["none", "cut", "no-utf8", "list", "deep", "large", "other-version"],
)
def test_what_is_no_pull_is_refused_as_by_flask(door: Door, body: bytes):
    assert parts(door.pull(body)) == parts(door.pull_by_flask(body))


@pytest.mark.parametrize(
    "changes",
    [{"site_id": "another"}, {"kiosk_id": "another"}, {"protocol_version": 9}, {"sealed": True}],
    ids=["site", "kiosk", "version", "sealed"],
)
def test_other_pulls_are_answered_as_by_flask(door: Door, changes: dict[str, Any]):
    assert parts(door.pull(door.message(**changes))) == parts(door.pull_by_flask(door.message(**changes)))


def end_by_revoking(door: Door) -> None:
    with door.centre.store.write() as db:
        revoke(db, hash_of(door.kiosk.token), door.centre.time())


def test_a_token_that_was_revoked_since_is_refused_and_counted(door: Door):
    end_by_revoking(door)
    before = door.by_flask
    answers = [door.pull(door.message()) for _ in range(2)]
    assert door.by_flask == before + 1, "the first one was taken without Flask"
    assert [parts(each) for each in answers] == [parts(door.pull_by_flask(door.message()))] * 2
    assert answers[0].json()["code"] == EndCode.ENDED
    assert answers[0].json()["token_sha256"] == hash_of(door.kiosk.token)
    write_tallies(door.centre.parts)
    with door.centre.store.read() as db:
        kinds = [row["kind"] for row in db.rows("select kind from audit where kind like 'refused:%'")]
    assert kinds == ["refused:revoked-token"]
