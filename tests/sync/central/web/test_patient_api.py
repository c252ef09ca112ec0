"""The public REST interface, over real HTTP: names and codes are fixed, since existing front ends rely on them."""

import pytest

from sync.ids import new_id
from sync.journey.model import Role
from tests.sync.central.centre import card
from tests.sync.central.online import API, Online

PERFORM = f"{API}/patient-journey/perform-action/"
CURRENT = f"{API}/patient-journey/current-state/"


def test_the_definitions_are_public_and_say_every_state_and_action(online: Online):
    answer = online.call("GET", f"{API}/state-definitions/")
    told = answer.json()
    assert answer.status_code == 200
    assert " ".join(told["journey_states"]) == (
        "UNREGISTERED ARRIVED REGISTERED WAITING CALLED IN_PROGRESS COMPLETED PAYMENT FINISHED"
    )
    assert " ".join(told["queue_states"]) == "waiting delayed called no_show in_progress completed cancelled"
    assert " ".join(told["patient_actions"]) == (
        "scan_nfc register confirm_arrival enter_exam_room complete_exam make_payment leave_hospital"
    )
    assert " ".join(told["staff_actions"]) == ("complete_exam call_patient start_exam mark_no_show cancel_appointment")
    assert told["state_transitions"]["COMPLETED"] == {"confirm_arrival": "WAITING", "make_payment": "PAYMENT"}
    assert told["mappings"]["queue_to_journey"]["no_show"] == "WAITING"
    assert told["mappings"]["journey_to_queue"]["CALLED"] == "called"
    assert told["definitions_version"] == online.centre.parts.definitions.version


def test_definitions_that_did_not_change_are_not_sent_again(online: Online):
    first = online.call("GET", f"{API}/state-definitions/")
    again = online.call("GET", f"{API}/state-definitions/", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert "public" in first.headers["Cache-Control"]


@pytest.mark.parametrize("spelling", ["current-state", "current_state"])
def test_the_current_state_has_two_spellings(online: Online, spelling):
    token = online.own_token(online.newcomer())
    answer = online.call("GET", f"{API}/patient-journey/{spelling}/", token)
    assert (answer.status_code, answer.json()["journey_state"]) == (200, "UNREGISTERED")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("spelling", ["perform-action", "perform_action"])
def test_an_action_answers_with_the_state_after_it(online: Online, spelling):
    token = online.own_token(online.newcomer())
    answer = online.call("POST", f"{API}/patient-journey/{spelling}/", token, json={"action_type": "scan_nfc"})
    assert (answer.status_code, answer.json()["journey_state"]) == (200, "ARRIVED")
    assert answer.json() == online.state(token).json() | {"timestamp": answer.json()["timestamp"]}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "state-definitions"),
        ("GET", "patient-journey/current-state"),
        ("GET", "patient-journey/current_state"),
        ("POST", "patient-journey/perform-action"),
        ("POST", "patient-journey/perform_action"),
    ],
)
def test_a_path_without_its_last_slash_is_served_and_not_redirected(online: Online, method, path):
    token = online.own_token(online.newcomer())
    body = {"action_type": "scan_nfc"} if method == "POST" else None
    answer = online.call(method, f"{API}/{path}", token, json=body, allow_redirects=False)
    assert answer.status_code == 200


def test_a_repeat_over_http_gets_the_same_bytes(online: Online):
    token, action_id = online.own_token(online.newcomer()), new_id()
    first = online.act(token, "scan_nfc", action_id)
    again = online.act(token, "scan_nfc", action_id.upper())
    assert (again.status_code, again.content) == (200, first.content)
    assert online.act(token, "register", action_id).status_code == 409


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "missing_action_type"),
        ({"action_type": None}, "missing_action_type"),
        ({"action_type": ""}, "missing_action_type"),
        ({"action_type": "fly"}, "unknown_action"),
        ({"action_type": "register"}, "not_allowed"),
        ({"action_type": 7}, "malformed"),
        ({"action_type": "a" * 200}, "malformed"),
        ([], "malformed"),
        ("scan_nfc", "malformed"),
        ({"action_type": "scan_nfc", "payload": []}, "invalid_payload"),
        ({"action_type": "scan_nfc", "payload": {"queue_id": 1}}, "invalid_payload"),
        ({"action_type": "scan_nfc", "payload": {"room": "\u0001"}}, "invalid_payload"),
        ({"action_type": "scan_nfc", "payload": {"reason": "\u0000"}}, "malformed"),
        ({"action_type": "scan_nfc", "payload": {"tag_id": ["04"]}}, "invalid_payload"),
        ({"action_type": "scan_nfc", "payload": {"tag_id": "  "}}, "invalid_payload"),
        ({"action_type": "scan_nfc", "payload": {"tag_id": "a" * 300}}, "invalid_payload"),
        ({"action_type": "scan_nfc", "action_id": "7"}, "invalid_action_id"),
        ({"action_type": "scan_nfc", "action_id": 7}, "invalid_action_id"),
    ],
)
def test_what_is_wrong_with_a_request_is_said_with_the_state_and_changes_nothing(online: Online, body, code):
    token = online.own_token(online.newcomer())
    answer = online.call("POST", PERFORM, token, json=body)
    told = answer.json()
    assert (answer.status_code, told["code"]) == (400, code)
    assert told["error"]
    assert (told["journey_state"], told["available_actions"]) == ("UNREGISTERED", ["scan_nfc"])
    assert online.state(token).json()["journey_state"] == "UNREGISTERED"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("header", [None, "Bearer", "Bearer ", "Bearer nk_nonsense", "Basic YTpi", "Bearer \xe9"])
def test_without_a_valid_token_there_is_no_answer(online: Online, method, header):
    headers = {"Authorization": header.encode("latin-1")} if header else {}
    answer = online.call(method, CURRENT if method == "GET" else PERFORM, headers=headers, json={"action_type": "x"})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_token_that_was_revoked_or_has_expired_is_no_token(online: Online):
    patient_id = online.newcomer()
    token = online.own_token(patient_id)
    online.centre.do("token-revoke", token=token)
    assert online.state(token).status_code == 401
    late = online.centre.token(Role.PATIENT, patient_id, expires_ms=online.centre.clock() - 1)
    assert online.state(late).status_code == 401


def test_a_kiosks_token_reaches_none_of_this(online: Online):
    token = online.centre.token(Role.KIOSK, kiosk_id="K1")
    for answer in (online.state(token), online.act(token, "scan_nfc"), online.call("GET", f"{API}/queue/", token)):
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_a_role_that_may_never_do_it_gets_403(online: Online):
    answer = online.act(online.own_token(online.newcomer()), "call_patient")
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert answer.json()["available_actions"] == ["scan_nfc"]


def test_a_patient_acts_for_nobody_else(online: Online):
    mine, other = online.newcomer(), online.newcomer()
    token = online.own_token(mine)
    assert online.act(token, "scan_nfc", patient_id=other).status_code == 403
    assert online.state(token, patient_id=other).status_code == 403
    assert online.act(token, "scan_nfc", patient_id=mine).status_code == 200


def test_staff_act_for_whom_they_name(online: Online):
    patient_id = online.newcomer()
    assert online.act(online.staff, "scan_nfc", patient_id=patient_id).json()["journey_state"] == "ARRIVED"
    assert online.state(online.staff, patient_id=patient_id).json()["available_actions"] == [
        "register",
    ]
    assert online.state(online.staff).json()["code"] == "missing_patient_id"
    assert online.state(online.staff, patient_id="nobody").status_code == 404
    assert online.act(online.staff, "scan_nfc").status_code == 404


def test_a_look_by_staff_is_recorded(online: Online):
    patient_id = online.newcomer()
    online.state(online.staff, patient_id=patient_id)
    (row,) = online.centre.rows("select who, kind, detail from audit where patient_id = :id", id=patient_id)
    assert row["kind"] == "look:current_state"
    assert row["who"].startswith("staff:")
    assert row["detail"] == '{"from":"127.0.0.1","channel":"rest"}'


def test_another_patients_card_is_refused_and_an_unknown_one_is_not(online: Online):
    patient_id = online.newcomer()
    token = online.own_token(patient_id)
    refused = online.act(token, "scan_nfc", tag_id=card(80))
    assert (refused.status_code, refused.json()["code"]) == (403, "card_of_another")
    assert online.act(token, "scan_nfc", tag_id="04:DE:AD:BE:EF:00:01").status_code == 200


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonx"])
def test_a_body_that_is_not_json_by_its_type_is_refused(online: Online, content_type):
    token = online.own_token(online.newcomer())
    answer = online.call(
        "POST", PERFORM, token, data=b'{"action_type":"scan_nfc"}', headers={"Content-Type": content_type}
    )
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert answer.json()["journey_state"] == "UNREGISTERED"


def test_json_may_say_its_character_set(online: Online):
    token = online.own_token(online.newcomer())
    headers = {"Content-Type": "application/json; charset=utf-8"}
    assert online.call("POST", PERFORM, token, data=b'{"action_type":"scan_nfc"}', headers=headers).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"NaN",
        b'{"action_type": "\\ud800"}',
        b'{"action_type": "scan_nfc", "payload": ' + b"[" * 30_000 + b"]" * 30_000 + b"}",
        b'{"action_type": "scan_nfc", "payload": ' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}",
        b'{"action_type": "scan_nfc", "payload": {"n": 1e999}}',
        b'{"action_type": "scan_nfc", "payload": {"n": ' + b"9" * 5000 + b"}}",
    ],
)
def test_a_body_that_cannot_be_read_is_refused_and_nothing_is_kept(online: Online, body):
    patient_id = online.newcomer()
    answer = online.call(
        "POST", PERFORM, online.own_token(patient_id), data=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert online.centre.rows("select 1 from actions where patient_id = :id", id=patient_id) == []


def test_a_body_that_is_too_large_is_refused(online: Online):
    token = online.own_token(online.newcomer())
    answer = online.act(token, "scan_nfc", notes="x" * 70_000)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "not_found"),
        ("GET", f"{API}/patient-journey/", 404, "not_found"),
        ("GET", PERFORM, 405, "method_not_allowed"),
        ("DELETE", CURRENT, 405, "method_not_allowed"),
        ("GET", "/ws/patient-journey/", 400, "malformed"),
        ("GET", "/%00", 400, "malformed"),
        ("GET", f"{CURRENT}?patient_id=a%00b", 400, "malformed"),
        ("PATCH", f"{API}/queue/%00/", 400, "malformed"),
    ],
)
def test_every_other_path_gets_an_answer_in_json(online: Online, method, path, status, code):
    answer = online.call(method, path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("method", ["GET", "DELETE", "TRACE", "PROPFIND"])
def test_a_method_that_is_not_allowed_names_those_that_are(online: Online, method):
    answer = online.call(method, PERFORM)
    assert (answer.status_code, "POST" in answer.headers["Allow"]) == (405, True)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/healthz", 200), ("GET", "/nothing", 404), ("TRACE", "/healthz", 405), ("POST", PERFORM, 401)],
)
def test_every_answer_forbids_a_browser_to_make_anything_of_it(online: Online, method, path, status):
    answer = online.call(method, path, json={})
    policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
    assert answer.status_code == status
    assert policy == dict.fromkeys(("default-src", "base-uri", "form-action", "frame-ancestors"), "'none'")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_the_service_says_that_it_lives(online: Online):
    assert online.call("GET", "/healthz").json() == {"status": "ok"}
