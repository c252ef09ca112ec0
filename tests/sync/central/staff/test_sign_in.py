"""Signing in: what the session of a person opens, when it ends, and what keeps strangers out."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.central.network.bearer import SESSION
from sync.central.records.account_sessions import end_account_sessions
from sync.central.records.accounts import account_of_id
from sync.central.records.duties import Duty
from sync.central.services.sign_in_lock import FIRST_WAIT_MS, LONGEST_WAIT_MS, wait_after
from sync.central.web.senders import CSRF, UNATTENDED, csrf_of
from tests.sync.central.centre import Centre
from tests.sync.central.online import API, Online
from tests.sync.central.staff.people import PASSWORD, headers_of, headers_of_session, person, sign_in

QUEUE, ME = f"{API}/queue/", f"{API}/me/"
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
WRONG = "not the password"


@pytest.fixture
def online(tmp_path: Path) -> Iterator[Online]:
    """A centre of its own for each test, since failures are counted by address."""
    made = Online(tmp_path, centre=Centre(tmp_path))
    yield made
    made.close()


def kinds(online: Online) -> list[str]:
    return [row["kind"] for row in online.centre.rows("select kind from audit order by audit_id")]


def test_a_person_signs_in_and_acts_in_the_own_name(online: Online):
    who = person(online, Duty.RECEPTION)
    headers, patient_id = headers_of(online, who), online.newcomer()
    body = {"action_type": "scan_nfc", "payload": {"patient_id": patient_id}}
    assert online.call("POST", f"{API}/patient-journey/perform-action/", json=body, headers=headers).ok
    assert online.call("GET", QUEUE, headers=headers).ok
    named = {row["who"] for row in online.centre.rows("select who from audit where kind like 'look:%'")}
    assert named == {f"staff:{who.login}"}
    me = online.call("GET", ME, headers=headers).json()
    assert (me["login"], me["name"], me["duties"]) == (who.login, who.name, ["reception"])


def test_the_name_may_be_typed_in_any_case_and_the_password_in_any_composition(online: Online):
    who = person(online, login="kim.mj@ward")
    decomposed = __import__("unicodedata").normalize("NFD", PASSWORD)
    assert decomposed != PASSWORD
    assert sign_in(online, " KIM.MJ@Ward ", decomposed).ok
    assert sign_in(online, who, "another password").status_code == 403


def test_no_script_reads_the_cookies_and_no_other_site_sends_them(online: Online):
    answer = sign_in(online, person(online))
    cookies = answer.raw.headers.getlist("Set-Cookie")
    assert len(cookies) == 2
    for each in cookies:
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= {part.strip() for part in each.split(";")}


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({}, 200, None),
        ({"Origin": "https://evil.example"}, 403, "foreign_origin"),
        ({"Origin": "null"}, 403, "foreign_origin"),
        ({"Origin": None}, 403, "foreign_origin"),
        ({"Sec-Fetch-Site": "same-site"}, 403, "foreign_origin"),
        ({"Sec-Fetch-Site": "cross-site"}, 403, "foreign_origin"),
        ({CSRF: None}, 403, "stale_page"),
        ({CSRF: ""}, 403, "stale_page"),
        ({CSRF: "쪽"}, 403, "stale_page"),
        ({CSRF: csrf_of("of another session")}, 403, "stale_page"),
        ({"Cookie": None}, 401, "unauthorized"),
        ({"Cookie": f"{SESSION}=0123456789ab.invented"}, 401, "unauthorized"),
    ],
)
def test_only_a_page_of_the_session_itself_acts(online: Online, change: dict[str, str | None], status: int, code: str):
    headers = headers_of(online, person(online)) | change
    sent = {name: value.encode() for name, value in headers.items() if value is not None}
    answer = online.call("POST", f"{QUEUE}search/", headers=sent, json={"q": "nobody"})
    assert (answer.status_code, answer.json().get("code")) == (status, code)


def test_the_session_of_an_apps_token_opens_the_socket_alone(online: Online):
    begun = online.call("POST", f"{API}/session/", online.staff)
    answer = online.call("GET", QUEUE, headers=headers_of_session(online, begun.cookies[SESSION]))
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


def test_the_socket_takes_the_cookie_of_a_person_from_pages_of_the_centre(online: Online):
    headers = headers_of(online, person(online))
    with online.socket(None, headers=headers) as socket:
        socket.ask("ping")
        assert socket.next() == {"type": "pong"}


def test_a_session_is_new_at_each_sign_in_and_one_that_a_stranger_has_set_is_not_taken_over(online: Online):
    who = person(online)
    planted = "0123456789ab.planted"
    answer = sign_in(online, who, Cookie=f"{SESSION}={planted}")
    assert answer.cookies[SESSION] != planted
    assert online.call("GET", ME, headers=headers_of_session(online, planted)).status_code == 401
    assert sign_in(online, who).cookies[SESSION] != answer.cookies[SESSION]


def test_a_session_ends_when_nobody_presses_and_a_page_that_asks_by_itself_is_no_press(online: Online):
    headers, clock = headers_of(online, person(online)), online.centre.clock
    clock.now_ms += 50 * MINUTE_MS
    assert online.call("GET", ME, headers=headers).ok
    clock.now_ms += 50 * MINUTE_MS
    assert online.call("GET", ME, headers={**headers, UNATTENDED: "1"}).ok
    clock.now_ms += 11 * MINUTE_MS
    assert online.call("GET", ME, headers=headers).status_code == 401


def test_a_session_ends_after_twelve_hours_whoever_presses(online: Online):
    headers, clock = headers_of(online, person(online)), online.centre.clock
    for _ in range(23):
        clock.now_ms += 30 * MINUTE_MS
        assert online.call("GET", ME, headers=headers).ok
    clock.now_ms += 30 * MINUTE_MS
    assert online.call("GET", ME, headers=headers).status_code == 401


def test_signing_out_ends_the_session_and_its_socket(online: Online):
    headers = headers_of(online, person(online))
    with online.socket(None, headers=headers) as socket:
        assert online.call("DELETE", f"{API}/session/", headers=headers).json() == {"ended": True}
        assert socket.closed() == 4401
    assert online.call("GET", ME, headers=headers).status_code == 401
    assert kinds(online)[-1] == "sign-out"


def test_sessions_that_are_ended_from_elsewhere_close_their_sockets(online: Online):
    who = person(online)
    headers = headers_of(online, who)
    with online.socket(None, headers=headers) as socket:
        with online.centre.store.write() as db:
            assert end_account_sessions(db, who.account_id, online.centre.clock()) == 1
        assert socket.closed() == 4401


def test_one_lists_and_ends_the_own_sessions(online: Online):
    who = person(online)
    first, second = headers_of(online, who), headers_of(online, who)
    listed = online.call("GET", f"{ME}sessions/", headers=second).json()
    (other,) = [each["session_id"] for each in listed["sessions"] if each["session_id"] != listed["session_id"]]
    assert online.call("DELETE", f"{ME}sessions/{other}/", headers=second).json() == {"ended": 1}
    assert online.call("DELETE", f"{ME}sessions/{other}/", headers=second).status_code == 404
    assert online.call("GET", ME, headers=first).status_code == 401
    assert online.call("GET", ME, headers=second).ok


def test_another_password_ends_all_sessions_and_begins_a_new_one(online: Online):
    who = person(online)
    elsewhere, headers = headers_of(online, who), headers_of(online, who)
    for body, code in (
        ({"current": WRONG, "password": "저녁 노을 바다 길"}, "wrong_password"),
        ({"current": PASSWORD, "password": "short"}, "weak_password"),
        ({"current": PASSWORD, "password": "password123"}, "weak_password"),
        ({"current": PASSWORD, "password": f"{who.login}2026!!!"}, "weak_password"),
        ({"current": PASSWORD, "password": "ababababab"}, "weak_password"),
    ):
        answer = online.call("POST", f"{ME}password/", json=body, headers=headers)
        assert answer.json()["code"] == code
    answer = online.call(
        "POST", f"{ME}password/", json={"current": PASSWORD, "password": "저녁 노을 바다 길"}, headers=headers
    )
    assert answer.ok
    for old in (elsewhere, headers):
        assert online.call("GET", ME, headers=old).status_code == 401
    assert online.call("GET", ME, headers=headers_of_session(online, answer.cookies[SESSION])).ok
    assert sign_in(online, who).status_code == 403


# The lock.


def test_wrong_passwords_wait_longer_each_time_and_a_restart_ends_no_wait(online: Online):
    who, clock = person(online), online.centre.clock
    for _ in range(5):
        assert sign_in(online, who, WRONG).json()["code"] == "wrong_password"
    locked = sign_in(online, who)
    assert (locked.status_code, locked.json()["code"]) == (429, "too_many_tries")
    assert 0 < int(locked.headers["Retry-After"]) <= 30
    online.centre.store.close()
    online.centre.open()
    with online.centre.store.read() as db:
        assert account_of_id(db, who.account_id) is not None
    rows = online.centre.rows("select max(until_ms) as until_ms from sign_in_failures")
    assert rows[0]["until_ms"] - clock.now_ms == FIRST_WAIT_MS
    assert [wait_after(count, 5) for count in (4, 5, 6, 7)] == [0, FIRST_WAIT_MS, 2 * FIRST_WAIT_MS, 4 * FIRST_WAIT_MS]
    assert wait_after(1000, 5) == LONGEST_WAIT_MS


def test_the_right_password_counts_once_the_wait_is_over_and_clears_the_count(online: Online):
    who, clock = person(online), online.centre.clock
    for _ in range(5):
        sign_in(online, who, WRONG)
    clock.now_ms += FIRST_WAIT_MS
    assert sign_in(online, who).ok
    for _ in range(4):
        assert sign_in(online, who, WRONG).status_code == 403
    assert sign_in(online, who).ok
    assert "sign-in-locked" in kinds(online)


def test_a_stranger_who_guesses_locks_nobody_out_of_a_browser_that_is_known(online: Online):
    who = person(online)
    browser = sign_in(online, who).cookies["nk_browser"]
    for _ in range(6):
        sign_in(online, who, WRONG)
    assert sign_in(online, who).status_code == 429
    assert sign_in(online, who, Cookie=f"nk_browser={browser}").ok


def test_a_browser_that_is_known_has_a_lock_of_its_own(online: Online):
    who = person(online)
    cookie = f"nk_browser={sign_in(online, who).cookies['nk_browser']}"
    for _ in range(5):
        assert sign_in(online, who, WRONG, Cookie=cookie).status_code == 403
    assert sign_in(online, who, Cookie=cookie).status_code == 429
    assert sign_in(online, who).ok


def test_guesses_at_many_names_from_one_address_wait_too(online: Online):
    for number in range(30):
        assert sign_in(online, f"nobody{number}", WRONG).status_code == 403
    assert sign_in(online, "nobody-else", WRONG).status_code == 429


def test_guesses_at_once_do_not_get_past_the_count(online: Online):
    who, answers = person(online), list[int]()
    guess = lambda: answers.append(sign_in(online, who, WRONG).status_code)  # noqa: E731
    threads = [threading.Thread(target=guess) for _ in range(20)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(answers) == [403] * 5 + [429] * 15


def test_an_unknown_name_and_a_wrong_password_are_one_answer(online: Online):
    known, unknown = sign_in(online, person(online), WRONG), sign_in(online, "nobody", WRONG)
    assert (known.status_code, known.json()) == (unknown.status_code, unknown.json())


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"login": "x"},
        {"login": 1, "password": "x"},
        {"login": "x", "password": None},
        {"login": "x" * 1000, "password": "y"},
        {"login": "x", "password": "y" * 1000},
        {"login": "", "password": ""},
        {"login": "x", "password": "\0"},
    ],
)
def test_bad_input_is_refused_and_leaves_nothing(online: Online, body: object):
    answer = online.call("POST", f"{API}/sign-in/", json=body, headers={"Origin": f"http://{online.host}"})
    assert answer.status_code == 400
    assert online.centre.rows("select 1 from sign_in_failures") == []


def test_a_sign_in_takes_the_place_of_the_browsers_former_session(online: Online):
    """The cookie of the former one, wherever a copy of it is, opens nothing any more."""
    first, second = person(online), person(online)
    former = headers_of(online, first)
    with online.socket(None, headers=former) as socket:
        assert sign_in(online, second, Cookie=former["Cookie"]).ok
        assert socket.closed() == 4401
    assert online.call("GET", f"{API}/me/", headers=former).status_code == 401
    assert "sign-out" in kinds(online)
