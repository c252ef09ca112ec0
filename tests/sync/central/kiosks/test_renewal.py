"""A kiosk's token is replaced once a month or by command. The kiosk always has a valid one, and a copy of it shows."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from kiosk.demo.hospital import wait_for
from sync.central.kiosks.renewal import RENEW_AFTER_MS, refuse_stranger
from sync.central.maintenance.health import check
from sync.central.operations.catalog import operations
from sync.central.records.kiosks import revoke_kiosk
from sync.central.records.tokens import OVERLAP_MS, hash_of
from sync.central.services.access_log import write_tallies
from sync.central.web.app import create_app
from sync.central.web.socket_places import SocketPlaces
from sync.control import ControlError
from sync.protocol import CallRefused, EndCode, Enrolment, PullAnswer, TokenAnswer
from tests.sync.central.wire import Centre, Time

DAY_MINUTES = 24 * 60


class Desk:
    """A centre's application with one kiosk, called with a token of the test's choice."""

    def __init__(self, directory: Path) -> None:
        self.centre = Centre(directory / "centre.db", Time())
        self.app: FlaskClient = create_app(self.centre.parts, SocketPlaces(1), 4).test_client()
        self.kiosk: Enrolment = self.centre.enrol("L", kiosk_id="lobby")

    def post(self, path: str, token: str, **changes: Any) -> TestResponse:
        message = {
            "protocol_version": 2,
            "site_id": self.kiosk.site_id,
            "kiosk_id": "lobby",
            "epoch": 1,
            "cursor": 0,
        } | changes
        return self.app.post(f"/api/v1/{path}", json=message, headers={"Authorization": f"Bearer {token}"})

    def pull(self, token: str, **changes: Any) -> PullAnswer | CallRefused:
        return read(self.post("sync/pull", token, **changes), PullAnswer)

    def renew(self, token: str, **changes: Any) -> TokenAnswer | CallRefused:
        return read(self.post("kiosks/token", token, **changes), TokenAnswer)

    def works(self, token: str) -> bool:
        return isinstance(self.pull(token), PullAnswer)

    def is_told_to_renew(self, token: str) -> bool:
        answer = self.pull(token)
        assert isinstance(answer, PullAnswer)
        return answer.renew_token

    def refusal(self, token: str) -> EndCode:
        refused = self.pull(token)
        assert isinstance(refused, CallRefused)
        assert (refused.token_sha256, refused.site_id) == (hash_of(token), self.kiosk.site_id)
        return refused.code

    def newer(self, token: str) -> str:
        answer = self.renew(token)
        assert isinstance(answer, TokenAnswer)
        assert answer.site_id == self.kiosk.site_id
        return answer.token

    def do(self, operation: str, **arguments: object) -> Any:
        return operations(self.centre.parts)[operation](arguments)

    def listed(self) -> dict[str, Any]:
        return next(dict(found["token"]) for found in self.do("kiosks") if found["kiosk_id"] == "lobby")

    def a_month_later(self) -> None:
        self.centre.time.now_ms += RENEW_AFTER_MS


def read(response: TestResponse, kind: type) -> Any:
    return msgspec.json.decode(response.data, type=kind if response.status_code == 200 else CallRefused)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.centre.store.close()


def test_after_a_month_a_kiosk_is_told_to_renew_its_token_and_not_before(desk: Desk):
    first = desk.kiosk.token
    assert not desk.is_told_to_renew(first)
    desk.centre.time.now_ms += RENEW_AFTER_MS - 1
    assert not desk.is_told_to_renew(first)
    desk.centre.time.now_ms += 1
    assert desk.is_told_to_renew(first)


def test_the_former_token_works_until_the_newer_one_is_used_and_five_minutes_more(desk: Desk):
    first = desk.kiosk.token
    assert desk.works(first)
    desk.a_month_later()
    second = desk.newer(first)
    desk.centre.time.pass_minutes(3 * DAY_MINUTES)
    assert desk.works(first), "the kiosk may have been off since"
    assert desk.is_told_to_renew(first), "it may never have got the answer"
    assert desk.works(second)
    desk.centre.time.now_ms += OVERLAP_MS - 1
    assert desk.works(first), "a call may be under way"
    assert not desk.is_told_to_renew(first)
    desk.centre.time.now_ms += 1
    assert desk.refusal(first) is EndCode.REPLACED
    assert desk.works(second)
    assert not desk.is_told_to_renew(second)


def test_a_repeat_makes_another_token_and_ends_the_one_that_nobody_has_used(desk: Desk):
    first = desk.kiosk.token
    desk.a_month_later()
    lost, second = desk.newer(first), desk.newer(first)
    assert desk.refusal(lost) is EndCode.NOT_KNOWN, "it keeps all, and goes on with its former token"
    assert desk.works(first)
    assert desk.works(second)
    assert len(desk.centre.rows("select * from tokens")) == 2


def test_a_token_is_renewed_only_where_it_is_due(desk: Desk):
    refused = desk.renew(desk.kiosk.token)
    assert isinstance(refused, CallRefused)
    assert (refused.code, refused.error) == (EndCode.TRY_LATER, "the token is not due to be renewed")
    assert len(desk.centre.rows("select * from tokens")) == 1


def test_a_token_that_was_replaced_makes_no_other(desk: Desk):
    """Else the holder of a copy could take the kiosk's place again, within the five minutes."""
    first = desk.kiosk.token
    desk.a_month_later()
    second = desk.newer(first)
    assert desk.works(second)
    desk.do("kiosk-renew")
    refused = desk.renew(first)
    assert isinstance(refused, CallRefused)
    assert (refused.code, refused.token_sha256) == (EndCode.REPLACED, hash_of(first))
    assert refused.error == (
        "a newer token of this kiosk is in use: a copy of its disk is, or its disk was set back; enrol it again"
    )
    assert desk.works(second)
    assert desk.centre.open_cases() == [], "a repeat that the network kept is no copy"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"protocol_version": 1}, EndCode.UNSUPPORTED_VERSION),
        ({"site_id": "01900000-0000-7000-8000-0000000000b2"}, EndCode.OTHER_SITE),
        ({"kiosk_id": "other"}, EndCode.NOT_KNOWN),
        ({"kiosk_id": 7}, EndCode.MALFORMED),
    ],
)
def test_a_request_for_a_token_that_does_not_fit_is_refused_and_makes_none(
    desk: Desk, changes: dict[str, Any], code: EndCode
):
    desk.a_month_later()
    refused = desk.renew(desk.kiosk.token, **changes)
    assert isinstance(refused, CallRefused)
    own = hash_of(desk.kiosk.token) if code is EndCode.NOT_KNOWN else None
    assert (refused.code, refused.token_sha256) == (code, own)
    assert len(desk.centre.rows("select * from tokens")) == 1


def test_the_answer_may_come_sealed(desk: Desk):
    desk.a_month_later()
    answer = desk.post("kiosks/token", desk.kiosk.token, sealed=True)
    assert set(json.loads(answer.data)) == {"sealed"}


def test_a_kiosk_that_is_revoked_ends_under_every_token_that_it_ever_had(desk: Desk):
    first = desk.kiosk.token
    assert desk.works(first)
    desk.a_month_later()
    second = desk.newer(first)
    assert desk.works(second)
    desk.a_month_later()
    third = desk.newer(second)
    with desk.centre.store.write() as db:
        assert revoke_kiosk(db, "lobby", desk.centre.time())
    assert [desk.refusal(token) for token in (first, second, third)] == [EndCode.ENDED] * 3
    for path in ("sync/push", "sync/lookup", "kiosks/token"):
        body = {"now": {"wall_ms": 0, "mono_ms": 0, "boot_id": "b", "synchronised": True}, "actions": [], "cards": []}
        refused = read(desk.post(path, third, **body), CallRefused)
        assert (refused.code, refused.token_sha256) == (EndCode.ENDED, hash_of(third))
    (listed,) = desk.do("kiosks")
    assert listed["token"] is None


def test_a_replaced_token_that_is_used_is_a_case_once_and_not_well(desk: Desk):
    """A thief's copy, or a disk that was set back. Whichever: two machines have been this kiosk."""
    first = desk.kiosk.token
    assert desk.works(first)
    desk.a_month_later()
    assert desk.works(desk.newer(first))
    desk.centre.time.now_ms += OVERLAP_MS
    assert desk.centre.open_cases() == []
    for _ in range(2):
        assert desk.refusal(first) is EndCode.REPLACED
    assert desk.centre.open_cases() == ["replaced_token"]
    [case] = desk.centre.rows("select kiosk_id, detail from exceptions")
    assert (case["kiosk_id"], json.loads(str(case["detail"]))["token"]) == ("lobby", hash_of(first)[:12])
    write_tallies(desk.centre.parts)
    [row] = desk.centre.rows("select who, detail from audit where kind = 'refused:replaced-token'")
    assert (row["who"], json.loads(str(row["detail"]))) == (
        "kiosk:lobby",
        {"from": "127.0.0.1", "token": hash_of(first)[:12], "count": 2},
    )
    with desk.centre.store.read() as db:
        health = check(db, desk.centre.definitions)
    assert (health.ok, [each.kiosk_id for each in health.copied_kiosks]) == (False, ["lobby"])
    assert desk.centre.settle("discard", reason="the disk was set back").done
    with desk.centre.store.read() as db:
        assert check(db, desk.centre.definitions).ok
    assert desk.refusal(first) is EndCode.REPLACED
    assert desk.centre.open_cases() == ["replaced_token"], "it goes on: a new case"


def test_a_token_that_became_valid_after_its_call_was_refused_is_not_called_replaced(desk: Desk):
    """The kiosk was enrolled between the two looks at the database."""
    refused = refuse_stranger(desk.centre.parts, desk.kiosk.site_id, desk.kiosk.token)
    assert (refused.code, refused.token_sha256) == (EndCode.NOT_KNOWN, hash_of(desk.kiosk.token))
    assert desk.centre.open_cases() == []


def test_two_calls_at_a_time_with_a_replaced_token_make_one_case(desk: Desk):
    first = desk.kiosk.token
    assert desk.works(first)
    desk.a_month_later()
    assert desk.works(desk.newer(first))
    desk.centre.time.now_ms += OVERLAP_MS
    with desk.centre.store.write():  # both have read that there is no case before either writes
        calls = [threading.Thread(target=desk.refusal, args=(first,)) for _ in range(2)]
        for call in calls:
            call.start()
    for call in calls:
        call.join()
    assert desk.centre.open_cases() == ["replaced_token"]


def test_a_thief_who_renews_first_puts_the_kiosk_out_and_shows(desk: Desk):
    stolen = desk.kiosk.token
    assert desk.works(stolen)
    desk.a_month_later()
    assert desk.works(desk.newer(stolen))
    desk.centre.time.now_ms += OVERLAP_MS
    assert desk.refusal(stolen) is EndCode.REPLACED, "to the kiosk itself"
    assert desk.centre.open_cases() == ["replaced_token"]


@pytest.mark.parametrize("minutes", [-400 * DAY_MINUTES, 400 * DAY_MINUTES])
def test_a_clock_that_jumps_renews_a_token_once(desk: Desk, minutes: int):
    """A token of the future would else be renewed in a loop, or not before that future comes."""
    assert desk.works(desk.kiosk.token)
    desk.centre.time.pass_minutes(minutes)
    assert desk.is_told_to_renew(desk.kiosk.token)
    second = desk.newer(desk.kiosk.token)
    assert not desk.is_told_to_renew(second)
    desk.centre.time.pass_minutes(-minutes)
    assert desk.refusal(desk.kiosk.token) is EndCode.REPLACED, "a clock that goes back brings no former token back"
    assert desk.is_told_to_renew(second)
    assert not desk.is_told_to_renew(desk.newer(second))


def test_an_operator_asks_at_once_and_once(desk: Desk):
    first = desk.kiosk.token
    assert desk.works(first)
    assert desk.do("kiosk-renew", kiosk_ids=["lobby"]) == ["lobby"]
    assert desk.is_told_to_renew(first)
    second = desk.newer(first)
    assert desk.is_told_to_renew(first), "the answer may have been lost"
    assert not desk.is_told_to_renew(second)
    assert desk.listed()["asked_ms"] is None
    assert [row["kind"] for row in desk.centre.rows("select kind from audit order by audit_id")] == [
        "kiosk-renew",
        "token-renewed",
    ]


def test_what_an_operator_asked_for_before_the_first_call_of_a_kiosk_is_not_forgotten(desk: Desk):
    assert desk.do("kiosk-renew", kiosk_ids=["lobby"]) == ["lobby"]
    assert desk.works(desk.kiosk.token)
    assert desk.is_told_to_renew(desk.kiosk.token)


def test_all_kiosks_are_asked_but_the_revoked_ones(desk: Desk):
    desk.centre.enrol(kiosk_id="ward")
    desk.centre.enrol(kiosk_id="gone")
    with desk.centre.store.write() as db:
        assert revoke_kiosk(db, "gone", desk.centre.time())
    assert desk.do("kiosk-renew") == ["lobby", "ward"]


@pytest.mark.parametrize("kiosk_id", ["gone", "nobody"])
def test_a_kiosk_that_is_revoked_or_unknown_is_not_asked_and_nor_are_those_named_with_it(desk: Desk, kiosk_id: str):
    desk.centre.enrol(kiosk_id="gone")
    with desk.centre.store.write() as db:
        assert revoke_kiosk(db, "gone", desk.centre.time())
    with pytest.raises(ControlError, match=f"there is no kiosk {kiosk_id}, or it was revoked"):
        desk.do("kiosk-renew", kiosk_ids=["lobby", kiosk_id])
    assert desk.listed()["asked_ms"] is None


def test_a_pull_that_waits_is_answered_at_once_when_a_new_token_is_asked_for(desk: Desk):
    before = desk.pull(desk.kiosk.token)
    assert isinstance(before, PullAnswer)
    answers: list[PullAnswer | CallRefused] = []

    def wait() -> None:
        own = {"cursor": before.cursor, "cursor_mac": before.cursor_mac, "definitions_version": 1, "wait_s": 30}
        answers.append(desk.pull(desk.kiosk.token, server_incarnation=before.server_incarnation, **own))

    desk.centre.time.pass_minutes(2)
    held = threading.Thread(target=wait)
    held.start()
    has_come = "select 1 from kiosks where seen_ms = :now_ms"
    wait_for(lambda: desk.centre.rows(has_come, now_ms=desk.centre.time()), "the pull never came", 30)
    desk.do("kiosk-renew")
    held.join(30)
    assert [isinstance(each, PullAnswer) and each.renew_token for each in answers] == [True]


def test_the_list_of_kiosks_says_how_old_a_token_is_and_what_becomes_of_it(desk: Desk):
    time = desk.centre.time
    assert desk.works(desk.kiosk.token)
    made_ms = time()
    plain = {"created_ms": made_ms, "renews_ms": made_ms + RENEW_AFTER_MS, "asked_ms": None, "due": False}
    rest = {"newer_ms": None, "former_until_ms": None}
    assert desk.listed() == plain | rest
    desk.a_month_later()
    assert desk.listed() == plain | rest | {"due": True}
    second = desk.newer(desk.kiosk.token)
    assert desk.listed() == plain | rest | {"due": True, "newer_ms": time()}
    assert desk.works(second)
    renewed = {"created_ms": time(), "renews_ms": time() + RENEW_AFTER_MS, "former_until_ms": time() + OVERLAP_MS}
    assert desk.listed() == plain | rest | renewed
    time.now_ms += OVERLAP_MS
    assert desk.listed()["former_until_ms"] is None


def test_the_tokens_themselves_are_stored_nowhere(desk: Desk):
    desk.a_month_later()
    second = desk.newer(desk.kiosk.token)
    assert desk.works(second)
    desk.centre.store.close()
    content = desk.centre.path.read_bytes()
    assert second.encode() not in content
    assert desk.kiosk.token.encode() not in content
    desk.centre.open()
