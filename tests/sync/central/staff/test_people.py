"""People and those who administer them: codes, duties, the last administrator, and which duty opens what."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from sync.central.network.bearer import SESSION
from sync.central.records.duties import Duty
from sync.central.services.account_codes import CODE_LIFE_MS
from sync.ids import new_id
from sync.journey.model import Role
from tests.sync.central.centre import Centre
from tests.sync.central.online import API, Online
from tests.sync.central.staff.people import PASSWORD, Person, headers_of, headers_of_session, person, sign_in

PEOPLE, ME = f"{API}/people/", f"{API}/me/"
NEW_PASSWORD = "저녁 노을 바다 길"


@pytest.fixture
def online(tmp_path: Path) -> Iterator[Online]:
    made = Online(tmp_path, centre=Centre(tmp_path))
    yield made
    made.close()


class Office:
    """An administrator at the page of people."""

    def __init__(self, online: Online) -> None:
        self.online = online
        self.who = person(online, Duty.ADMINISTRATOR, login="office")
        self.headers = headers_of(online, self.who)

    def ask(self, method: str, path: str, **body: Any) -> requests.Response:
        return self.online.call(method, f"{PEOPLE}{path}", headers=self.headers, json=body)

    def row(self, who: Person) -> dict[str, Any]:
        listed = self.online.call("GET", PEOPLE, headers=self.headers).json()["people"]
        (found,) = [each for each in listed if each["login"] == who.login]
        return dict(found)


@pytest.fixture
def office(online: Online) -> Office:
    return Office(online)


def come(online: Online, code: str, path: str = "welcome/", **more: str) -> requests.Response:
    """A person who types a code."""
    headers = {"Origin": f"http://{online.host}"}
    return online.call("POST", f"{API}/{path}", headers=headers, json={"code": code, **more})


def did(online: Online) -> list[str]:
    """What was done to accounts, as the access log says. Each of its rows has the address of who did it."""
    rows = online.centre.rows("select detail from audit where kind = 'account' order by audit_id")
    assert {json.loads(row["detail"])["from"] for row in rows} <= {"127.0.0.1"}
    return [json.loads(row["detail"])["did"] for row in rows]


def test_a_person_who_is_invited_makes_an_account_once(online: Online, office: Office):
    made = office.ask("POST", "invitations/", duties=["reception", "exam_room"], name="이서연").json()
    code = made["code"]
    typed = f" {code.lower().replace('-', ' ')} "
    assert come(online, typed, "welcome/check/").json() == {
        "makes_account": True,
        "login": "",
        "name": "이서연",
        "duties": ["exam_room", "reception"],
    }
    answer = come(online, typed, login="Lee.SY", name="이서연", password=NEW_PASSWORD)
    assert answer.json() == {"name": "이서연", "duties": ["exam_room", "reception"]}
    me = online.call("GET", ME, headers=headers_of_session(online, answer.cookies[SESSION])).json()
    assert me["login"] == "lee.sy"
    again = come(online, code, login="other", name="x", password=NEW_PASSWORD)
    assert (again.status_code, again.json()["code"]) == (403, "code_unknown")
    assert sign_in(online, "lee.sy", NEW_PASSWORD).ok
    assert did(online) == ["invite", "welcome"]


@pytest.mark.parametrize(
    ("typed", "status", "code"),
    [
        ({"login": "office", "name": "x", "password": NEW_PASSWORD}, 409, "login_taken"),
        ({"login": "OFFICE", "name": "x", "password": NEW_PASSWORD}, 409, "login_taken"),
        ({"login": "a b", "name": "x", "password": NEW_PASSWORD}, 400, "malformed"),
        ({"login": "x", "name": "x", "password": NEW_PASSWORD}, 400, "malformed"),
        ({"login": "lee", "name": " ", "password": NEW_PASSWORD}, 400, "malformed"),
        ({"login": "lee", "name": "x\n", "password": NEW_PASSWORD}, 400, "malformed"),
        ({"login": "lee", "name": "x", "password": "short"}, 400, "weak_password"),
        ({"login": "lee", "name": "x", "password": "1q2w3e4r5t"}, 400, "weak_password"),
        ({"login": "lee", "name": "x"}, 400, "malformed"),
    ],
)
def test_what_is_refused_does_not_use_the_code_up(
    online: Online, office: Office, typed: dict[str, str], status: int, code: str
):
    made = office.ask("POST", "invitations/", duties=["reception"]).json()["code"]
    answer = come(online, made, **typed)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert come(online, made, login="lee", name="이서연", password=NEW_PASSWORD).ok


def test_a_code_ends_after_a_day_or_when_it_is_withdrawn(online: Online, office: Office):
    first = office.ask("POST", "invitations/", duties=["reception"]).json()
    second = office.ask("POST", "invitations/", duties=["reception"]).json()
    listed = online.call("GET", PEOPLE, headers=office.headers).json()["invitations"]
    assert {each["code_id"] for each in listed} == {first["code_id"], second["code_id"]}
    assert office.ask("DELETE", f"codes/{first['code_id']}/").ok
    assert office.ask("DELETE", f"codes/{first['code_id']}/").status_code == 404
    assert come(online, first["code"], "welcome/check/").status_code == 403
    online.centre.clock.now_ms += CODE_LIFE_MS
    assert come(online, second["code"], "welcome/check/").status_code == 403


def test_who_guesses_codes_has_to_wait_and_a_code_is_in_no_row(online: Online, office: Office):
    code = office.ask("POST", "invitations/", duties=["administrator"]).json()["code"]
    for number in range(10):
        assert come(online, f"ABCD-EFGH-JKLM-{number:04}", "welcome/check/").status_code == 403
    assert come(online, code, "welcome/check/").status_code == 429
    online.centre.clock.now_ms += 31_000
    assert come(online, code, "welcome/check/").ok
    stored = str(online.centre.rows("select * from account_codes"))
    assert code not in stored
    assert code.replace("-", "") not in stored


def test_a_password_is_reset_by_a_code_and_the_old_one_and_its_sessions_end_at_once(online: Online, office: Office):
    who = person(online)
    headers = headers_of(online, who)
    with online.socket(None, headers=headers) as socket:
        code = office.ask("POST", f"{who.account_id}/reset/").json()["code"]
        assert socket.closed() == 4401
    assert sign_in(online, who).json()["code"] == "wrong_password"
    assert office.row(who)["code_id"]
    assert come(online, code, "welcome/check/").json()["login"] == who.login
    assert come(online, code, password=NEW_PASSWORD, login="ignored").ok
    assert sign_in(online, who, NEW_PASSWORD).ok
    assert office.row(who)["code_id"] is None


def test_a_second_code_for_one_account_ends_the_first(online: Online, office: Office):
    who = person(online)
    first, second = (office.ask("POST", f"{who.account_id}/reset/").json()["code"] for _ in range(2))
    assert come(online, first, password=NEW_PASSWORD).status_code == 403
    assert come(online, second, password=NEW_PASSWORD).ok


@pytest.mark.parametrize("change", [{"is_disabled": True}, {"duties": ["exam_room"]}])
def test_what_is_taken_from_a_person_ends_sessions_and_sockets_at_once(
    online: Online, office: Office, change: dict[str, Any]
):
    who = person(online, Duty.RECEPTION)
    headers = headers_of(online, who)
    with online.socket(None, headers=headers) as socket:
        assert office.ask("PATCH", f"{who.account_id}/", **change).ok
        assert socket.closed() == 4401
    assert online.call("GET", ME, headers=headers).status_code == 401


@pytest.mark.parametrize("change", [{"is_disabled": True}, {"duties": ["reception"]}])
def test_who_administers_no_longer_has_no_code_left(online: Online, office: Office, change: dict[str, Any]):
    other, known = person(online, Duty.ADMINISTRATOR), person(online)
    headers = headers_of(online, other)
    paths = ("invitations/", f"{known.account_id}/reset/")
    asked = [
        online.call("POST", f"{PEOPLE}{path}", headers=headers, json={"duties": ["administrator"]}) for path in paths
    ]
    own = office.ask("POST", "invitations/", duties=["reception"]).json()["code"]
    assert office.ask("PATCH", f"{other.account_id}/", **change).ok
    assert [come(online, each.json()["code"], "welcome/check/").status_code for each in asked] == [403, 403]
    assert come(online, own, "welcome/check/").ok


def test_who_is_disabled_signs_in_again_once_enabled(online: Online, office: Office):
    who = person(online)
    assert office.ask("PATCH", f"{who.account_id}/", is_disabled=True).json()["is_disabled"]
    answer = sign_in(online, who)
    assert (answer.status_code, answer.json()["code"]) == (403, "account_disabled")
    assert sign_in(online, who, "not the password").json()["code"] == "wrong_password"
    assert not office.ask("PATCH", f"{who.account_id}/", is_disabled=False).json()["is_disabled"]
    assert sign_in(online, who).ok
    assert did(online) == ["disable", "enable"]


def test_a_name_changes_without_an_end_of_sessions(online: Online, office: Office):
    who = person(online)
    headers = headers_of(online, who)
    assert office.ask("PATCH", f"{who.account_id}/", name=" 박지후 ").json()["name"] == "박지후"
    assert online.call("GET", ME, headers=headers).json()["name"] == "박지후"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, 200),
        ({"name": ""}, 400),
        ({"name": "\t"}, 400),
        ({"name": "x" * 61}, 400),
        ({"duties": []}, 400),
        ({"duties": ["nurse"]}, 400),
        ({"duties": "reception"}, 400),
        ({"is_disabled": "yes"}, 400),
        ({"is_disabled": None}, 400),
        ({"unknown": 1}, 200),
    ],
)
def test_bad_changes_are_refused_and_change_nothing(
    online: Online, office: Office, change: dict[str, Any], status: int
):
    who = person(online)
    before = office.row(who)
    assert office.ask("PATCH", f"{who.account_id}/", **change).status_code == status
    assert office.row(who) == before


@pytest.mark.parametrize("change", [{"is_disabled": True}, {"duties": ["reception"]}])
def test_the_last_administrator_stays(online: Online, office: Office, change: dict[str, Any]):
    person(online, Duty.RECEPTION)
    path = f"{office.who.account_id}/"
    assert office.ask("PATCH", path, **change).json()["code"] == "last_administrator"
    second = person(online, Duty.ADMINISTRATOR)
    assert office.ask("PATCH", f"{second.account_id}/", is_disabled=True).ok
    assert office.ask("PATCH", path, **change).json()["code"] == "last_administrator"
    assert office.ask("PATCH", f"{second.account_id}/", is_disabled=False).ok
    assert office.ask("PATCH", path, **change).ok


def test_nobody_takes_the_own_password_away(office: Office):
    assert office.ask("POST", f"{office.who.account_id}/reset/").json()["code"] == "not_applicable"


def test_a_lock_is_seen_and_ended(online: Online, office: Office):
    who = person(online)
    for _ in range(5):
        sign_in(online, who, "not the password")
    assert office.row(who)["locked_until_ms"] > online.centre.clock.now_ms
    assert office.ask("POST", f"{who.account_id}/unlock/").json()["locked_until_ms"] is None
    assert sign_in(online, who).ok


def test_the_sessions_of_a_person_are_seen_and_ended(online: Online, office: Office):
    who = person(online)
    first, second = headers_of(online, who), headers_of(online, who)
    sessions = office.row(who)["sessions"]
    assert len(sessions) == 2
    assert office.ask("DELETE", f"{who.account_id}/sessions/{sessions[0]['session_id']}/").json() == {"ended": 1}
    assert office.ask("DELETE", f"{who.account_id}/sessions/").json() == {"ended": 1}
    assert office.ask("DELETE", f"{who.account_id}/sessions/{sessions[0]['session_id']}/").status_code == 404
    for headers in (first, second):
        assert online.call("GET", ME, headers=headers).status_code == 401


# Which duty opens what.


def opened_to_pages(online: Online) -> list[tuple[str, str, list[str]]]:
    """Method, path and duties of every endpoint that takes the cookie of a person."""
    document = online.call("GET", f"{API}/openapi.json").json()
    return [
        (method.upper(), re.sub(r"\{\w+\}", new_id(), path), operation["x-duties"])
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if "x-duties" in operation
    ]


@pytest.mark.parametrize("duty", Duty)
def test_each_endpoint_opens_to_its_duties_alone(online: Online, duty: Duty):
    headers, found = headers_of(online, person(online, duty)), opened_to_pages(online)
    assert len(found) > 30
    for method, path, duties in found:
        answer = online.call(method, path, headers=headers, json={})
        refused = answer.status_code == 403 and answer.json()["code"] == "forbidden"
        assert refused == (duty not in duties), (method, path, answer.text)


def test_cards_and_records_are_for_reception(online: Online):
    """An exam room reads the queue. It binds no card to anybody, and makes no two records one."""
    found = [(path, duties) for _, path, duties in opened_to_pages(online) if re.search("bindings|cards/|merge", path)]
    assert len(found) > 8
    assert {tuple(duties) for _, duties in found} == {("reception",)}


def test_a_token_that_is_no_persons_administers_nothing(online: Online):
    for role in (Role.STAFF, Role.INTEGRATION):
        for method, path in (("GET", PEOPLE), ("POST", f"{PEOPLE}invitations/")):
            answer = online.call(method, path, online.centre.token(role, name="x"), json={"duties": ["reception"]})
            assert answer.status_code == 403
    assert online.call("GET", ME, online.staff).json()["code"] == "not_applicable"
    assert PASSWORD not in str(online.centre.rows("select * from accounts"))
