"""Two versions of the protocol side by side: a kiosk and a centre that speak different ones, over a real port.

Version 3 is an invented neighbour that this software does not know. The versions of an end are a value that it gets.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from sync.protocol import PROTOCOL_VERSION
from tests.protocol.subjects import RealAgent, Site, refusal, verdicts_of
from tests.sync.central.wire import uid

OK = ("applied", "ok")
Versions = frozenset[int]
OURS, BOTH, THEIRS = frozenset({2}), frozenset({2, 3}), frozenset({3})
MakeKiosk = Callable[[Versions], RealAgent]


@pytest.fixture
def make_kiosk(tmp_path: Path, site: Site) -> Iterator[MakeKiosk]:
    """Makes enrolled kiosks that speak the given versions."""
    made: list[RealAgent] = []

    def make(versions: Versions) -> RealAgent:
        kiosk = RealAgent(tmp_path, versions)
        made.append(kiosk)
        kiosk.enrol(site)
        return kiosk

    yield make
    for kiosk in made:
        kiosk.close()


def versions_of_calls(site: Site) -> list[int]:
    """The version of each push and pull so far."""
    return [message["protocol_version"] for call, message in site.between.asked if call != "enroll"]


def test_this_software_speaks_version_2():
    assert PROTOCOL_VERSION == 2


@pytest.mark.parametrize(
    ("kiosk_speaks", "centre_speaks", "asked"),
    [
        (OURS, OURS, [2, 2]),
        (BOTH, BOTH, [3, 3]),
        (OURS, BOTH, [2, 2]),
        (THEIRS, BOTH, [3, 3]),
        (BOTH, THEIRS, [3, 3]),
        (BOTH, OURS, [3, 2, 2]),
    ],
)
def test_two_ends_use_the_highest_version_that_both_speak(
    make_kiosk: MakeKiosk, site: Site, kiosk_speaks: Versions, centre_speaks: Versions, asked: list[int]
):
    site.speak(*centre_speaks)
    kiosk = make_kiosk(kiosk_speaks)
    kiosk.pull()
    assert versions_of_calls(site) == asked, "the snapshot, and a page without news"
    site.between.asked.clear()
    ids = kiosk.check_in(uid("P1"))
    kiosk.push()
    assert versions_of_calls(site) == asked[:-1]
    assert verdicts_of(kiosk, ids) == [OK] * 3


@pytest.mark.parametrize(("kiosk_speaks", "centre_speaks"), [(OURS, THEIRS), (THEIRS, OURS)])
def test_two_ends_without_a_common_version_lose_nothing_and_meet_again_after_an_update(
    make_kiosk: MakeKiosk, site: Site, kiosk_speaks: Versions, centre_speaks: Versions
):
    site.speak(*kiosk_speaks)
    kiosk = make_kiosk(kiosk_speaks)
    kiosk.pull()
    site.speak(*centre_speaks)
    ids = kiosk.check_in(uid("P1"))
    reason = kiosk.pull_is_refused()
    assert reason == (
        f"unsupported_version: the centre speaks protocol versions {min(centre_speaks)}, this kiosk {min(kiosk_speaks)}"
    )
    for _ in range(3):
        kiosk.push_once()
    assert (kiosk.pending(), verdicts_of(kiosk, ids), site.centre.journey("P1").state) == (
        3,
        [None] * 3,
        "UNREGISTERED",
    )
    assert kiosk.holder(uid("P1")) == "P1"
    assert set(versions_of_calls(site)) == kiosk_speaks
    site.speak(*BOTH)
    kiosk.push()
    assert verdicts_of(kiosk, ids) == [OK] * 3
    assert site.centre.journey("P1").state == "WAITING"


def test_an_update_of_the_centre_is_followed_at_its_next_answer(make_kiosk: MakeKiosk, site: Site):
    site.speak(*OURS)
    kiosk = make_kiosk(BOTH)
    kiosk.pull()
    kiosk.scan(uid("P1"))
    kiosk.push()
    site.speak(*BOTH)
    site.between.asked.clear()
    for card in ("P2", "new"):
        kiosk.pull_once()
        kiosk.scan(uid(card))
        kiosk.push()
    assert [call for call, _ in site.between.asked] == ["pull", "push", "pull", "push"]
    assert versions_of_calls(site) == [2, 2, 3, 3]


def test_a_centre_that_was_set_back_is_followed_at_once(make_kiosk: MakeKiosk, site: Site):
    site.speak(*BOTH)
    kiosk = make_kiosk(BOTH)
    kiosk.pull()
    ids = [kiosk.scan(uid("P1"))]
    kiosk.push()
    site.speak(*OURS)
    site.between.asked.clear()
    ids.append(kiosk.scan(uid("P2")))
    kiosk.push()
    assert versions_of_calls(site) == [3, 2]
    assert verdicts_of(kiosk, ids) == [OK] * 2


# The centre's answers.


def post(site: Site, call: str, body: bytes, token: str) -> requests.Response:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    return requests.post(f"{site.url}/api/v1/sync/{call}", body, headers=headers, timeout=30)


@pytest.mark.parametrize("call", ["push", "pull"])
@pytest.mark.parametrize(
    "message",
    [
        {"protocol_version": 3},
        {"protocol_version": 3, "kiosk": {"id": "A"}, "actions": {"a": 1}},
        {"protocol_version": 3, "kiosk_id": 7, "epoch": "first", "cursor": None, "now": [], "actions": "none"},
    ],
    ids=["nothing else", "another form", "other types"],
)
def test_a_message_of_another_version_is_refused_as_such_whatever_its_form(site: Site, call: str, message: Any):
    token = site.centre.enrol("B").token
    answer = post(site, call, json.dumps(message).encode(), token)
    assert answer.status_code == 400
    assert (answer.json()["code"], answer.json()["versions"]) == ("unsupported_version", [2])
    assert answer.json()["error"] == "this centre speaks protocol versions 2"


@pytest.mark.parametrize("call", ["push", "pull"])
@pytest.mark.parametrize("body", [b'{"protocol_version": 2}', b'{"protocol_version": "3"}', b"{}", b"[3]"])
def test_a_message_of_no_version_or_of_ours_in_a_wrong_form_is_malformed(site: Site, call: str, body: bytes):
    answer = post(site, call, body, site.centre.enrol("B").token)
    assert (answer.status_code, answer.json()["code"], answer.json()["versions"]) == (400, "malformed", [])


def test_each_answer_says_what_the_centre_speaks(make_kiosk: MakeKiosk, site: Site):
    answers: list[Any] = []

    def keep(_: str, answer: Any) -> Any:
        answers.append(answer)
        return answer

    site.speak(*BOTH)
    kiosk = make_kiosk(OURS)
    site.between.change = keep
    kiosk.scan(uid("new"))
    kiosk.pull_once()
    kiosk.push()
    assert [answer["versions"] for answer in answers] == [[2, 3], [2, 3]]


# The kiosk's understanding.


def test_a_refusal_in_words_of_a_later_version_is_understood(make_kiosk: MakeKiosk, site: Site):
    kiosk = make_kiosk(OURS)
    site.between.instead = lambda call, message: refusal(
        400, code="unsupported_version", error="update", versions=[3, 4], since="2031-01-01", help={"see": "manual"}
    )
    assert kiosk.pull_is_refused().endswith("the centre speaks protocol versions 3, 4, this kiosk 2")


def test_a_centre_that_does_not_say_what_it_speaks_is_asked_again_later(make_kiosk: MakeKiosk, site: Site):
    kiosk = make_kiosk(BOTH)
    site.between.instead = lambda call, message: refusal(400, code="unsupported_version", error="?")
    site.between.asked.clear()
    assert kiosk.pull_is_refused().endswith("the centre speaks protocol versions unknown, this kiosk 2, 3")
    assert versions_of_calls(site) == [3]
