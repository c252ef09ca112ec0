"""The patient's WebSocket, with a real client on a real server."""

import threading
from contextlib import ExitStack
from socket import SHUT_RDWR

import pytest
from simple_websocket import ConnectionError as NoHandshake
from wsproto.events import Ping

from sync.central.gateway.gateway import Shares
from sync.central.services.current_state import read_current_state
from sync.central.services.told import Told
from sync.central.store.news import PatientChanged
from sync.central.web.socket_places import SOCKETS_OF_A_TOKEN
from sync.ids import new_id
from sync.journey.model import PATIENT, Role
from tests.sync.central.online import API, PATIENCE_S, Online

MANY = 32

UNAUTHORIZED, FORBIDDEN = 4401, 4403
GOING_AWAY, PROTOCOL_ERROR, NO_CODE, NOT_UTF8, TOO_BIG, TRY_AGAIN_LATER = 1001, 1002, 1005, 1007, 1009, 1013
HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",  # the key of RFC 6455, 1.3
}


@pytest.fixture
def mine(online: Online) -> tuple[str, str]:
    """A patient with a token."""
    patient_id = online.newcomer()
    return patient_id, online.own_token(patient_id)


@pytest.mark.parametrize("browser", [False, True])
def test_the_whole_state_comes_first(online: Online, mine, browser):
    with online.socket(mine[1], browser=browser) as socket:
        message = socket.next()
        assert message["type"] == "initial_state"
        assert message["payload"] == online.state(mine[1]).json()
        assert socket.client.subprotocol == ("bearer" if browser else None)


def test_it_is_there_without_its_last_slash_too(online: Online, mine):
    with online.socket(mine[1], path="/ws/patient-journey") as socket:
        assert socket.next()["type"] == "initial_state"


def test_it_answers_a_ping_and_sends_the_state_again_when_asked(online: Online, mine):
    with online.socket(mine[1]) as socket:
        first = socket.next()
        socket.ask("ping")
        assert socket.next() == {"type": "pong"}
        socket.ask("fetch_initial_state")
        assert socket.next() == first


def test_an_action_over_the_socket_is_answered_with_its_id_and_announced(online: Online, mine):
    action_id = new_id()
    with online.socket(mine[1]) as socket:
        socket.next()
        socket.ask("perform_action", action_type="scan_nfc", payload={}, action_id=action_id)
        result, update = socket.next(), socket.next()
    assert (result["type"], result["success"], result["action_id"]) == ("action_result", True, action_id)
    assert (update["type"], update["action_id"]) == ("state_update", action_id)
    assert update["payload"] == {**result["payload"], "action": "scan_nfc"}
    assert result["payload"]["journey_state"] == "ARRIVED"


def test_an_earlier_change_that_is_announced_later_does_not_take_the_place_of_the_state(online: Online, mine):
    earlier = read_current_state(online.centre.parts, PATIENT, mine[0])
    assert isinstance(earlier, Told)
    with online.socket(mine[1]) as socket:
        socket.next()
        online.act(mine[1], "scan_nfc")
        assert socket.next()["payload"]["journey_state"] == "ARRIVED"
        online.centre.store.news.announce([PatientChanged(1, mine[0], "register", new_id(), earlier.value, "patient")])
        socket.ask("ping")
        assert socket.next() == {"type": "pong"}


def test_a_repeat_over_the_other_channel_gets_the_same_answer(online: Online, mine):
    action_id = new_id()
    over_http = online.act(mine[1], "scan_nfc", action_id).json()
    with online.socket(mine[1]) as socket:
        socket.next()
        socket.ask("perform_action", action_type="scan_nfc", payload={}, action_id=action_id)
        assert socket.next()["payload"] == over_http
        socket.ask("ping")
        assert socket.next() == {"type": "pong"}, "a repeat is no change"


def test_a_change_from_any_channel_reaches_every_socket_of_the_patient(online: Online, mine):
    other = online.newcomer()
    with online.socket(mine[1]) as one, online.socket(mine[1]) as two, online.socket(online.own_token(other)) as far:
        for socket in (one, two, far):
            socket.next()
        online.act(online.staff, "scan_nfc", patient_id=mine[0])
        for socket in (one, two):
            message = socket.next()
            assert (message["type"], message["payload"]["action"]) == ("state_update", "scan_nfc")
            assert message["payload"]["journey_state"] == "ARRIVED"
        far.ask("ping")
        assert far.next() == {"type": "pong"}


@pytest.mark.parametrize("by_staff", [False, True], ids=["the patient's", "a member of staff's"])
def test_a_socket_follows_its_patient_when_records_are_merged(online: Online, mine, by_staff: bool):
    gone, own = mine
    kept = online.newcomer()
    token, query = (online.staff, f"?patient_id={gone}") if by_staff else (own, "")
    with online.socket(token, query=query) as socket:
        socket.next()
        body = {"patient_id": gone, "action_id": new_id()}
        assert online.call("POST", f"{API}/patients/{kept}/merge/", online.staff, json=body).ok
        assert socket.until("initial_state")["payload"]["journey_state"] == "UNREGISTERED"
        online.act(online.staff, "scan_nfc", patient_id=kept)
        while (message := socket.until("state_update"))["payload"]["action"] != "scan_nfc":
            pass  # the merge itself is a change too
        assert message["payload"]["journey_state"] == "ARRIVED"
        socket.ask("perform_action", action_type="register", action_id=new_id(), payload={"patient_id": gone})
        assert socket.until("action_result")["payload"]["journey_state"] == "REGISTERED", "by the id that it knows"
        assert socket.until("state_update")["payload"]["action"] == "register"
    assert online.state(own, patient_id=gone).json()["journey_state"] == "REGISTERED"


def test_a_refused_action_says_why_and_what_is_allowed(online: Online, mine):
    action_id = new_id()
    with online.socket(mine[1]) as socket:
        socket.next()
        socket.ask("perform_action", action_type="make_payment", payload={}, action_id=action_id)
        message = socket.next()
        socket.ask("fetch_initial_state")
        assert message.pop("payload") == socket.next()["payload"]
        assert message.pop("error")
        assert message == {
            "type": "action_result",
            "success": False,
            "code": "not_allowed",
            "journey_state": "UNREGISTERED",
            "available_actions": ["scan_nfc"],
            "action_id": action_id,
        }


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("{", "malformed"),
        ("", "malformed"),
        ("[" * 15_000, "malformed"),
        (b"\xff\x00", "malformed"),
        ("[]", "unknown_command"),
        ("null", "unknown_command"),
        ("{}", "unknown_command"),
        ({"command": "fly"}, "unknown_command"),
        ({"command": ["ping"]}, "unknown_command"),
    ],
)
def test_a_message_that_makes_no_sense_gets_an_error_and_the_socket_stays(online: Online, mine, message, code):
    with online.socket(mine[1]) as socket:
        socket.next()
        socket.send(message)
        answer = socket.next()
        assert (answer["type"], answer["code"]) == ("error", code)
        socket.ask("ping")
        assert socket.next() == {"type": "pong"}


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({}, "missing_action_type"),
        ({"action_type": "scan_nfc", "payload": 3}, "invalid_payload"),
        ({"action_type": "scan_nfc", "action_id": 3}, "invalid_action_id"),
        ({"action_type": "call_patient"}, "forbidden"),
        ({"action_type": "scan_nfc", "payload": {"patient_id": "P80"}}, "forbidden"),
    ],
)
def test_an_action_that_makes_no_sense_is_answered_as_one(online: Online, mine, said, code):
    with online.socket(mine[1]) as socket:
        socket.next()
        socket.ask("perform_action", **said)
        answer = socket.next()
        assert (answer["type"], answer["success"], answer["code"]) == ("action_result", False, code)
        assert (answer["journey_state"], answer["action_id"]) == (
            "UNREGISTERED",
            said.get("action_id", answer["action_id"]),
        )


def test_a_payload_nested_too_deep_is_refused_and_the_socket_stays(online: Online, mine):
    deep = '{"a":' * 900 + "1" + "}" * 900
    with online.socket(mine[1]) as socket:
        socket.next()
        socket.send(f'{{"command":"perform_action","action_type":"scan_nfc","payload":{deep}}}')
        assert socket.next()["code"] == "malformed"
        socket.ask("ping")
        assert socket.next() == {"type": "pong"}


@pytest.mark.parametrize(("token", "browser"), [(None, False), ("nk_nonsense", False), ("nk_nonsense", True)])
def test_without_a_valid_token_it_is_closed_at_once(online: Online, token, browser):
    with online.socket(token, browser=browser) as socket:
        assert socket.closed() == UNAUTHORIZED


def test_a_kiosks_token_opens_no_socket_and_a_patients_none_of_another(online: Online, mine):
    with online.socket(online.centre.token(Role.KIOSK, kiosk_id="K1")) as socket:
        assert socket.closed() == FORBIDDEN
    with online.socket(mine[1], query="?patient_id=P80") as socket:
        assert socket.closed() == FORBIDDEN


def test_a_token_in_the_query_string_is_no_token(online: Online, mine):
    with online.socket(None, query=f"?token={mine[1]}") as socket:
        assert socket.closed() == UNAUTHORIZED


def test_revoking_a_token_closes_its_sockets_and_no_other(online: Online, mine):
    other = online.own_token(mine[0])
    with online.socket(mine[1]) as ended, online.socket(other) as kept:
        ended.next(), kept.next()
        online.centre.do("token-revoke", token=mine[1])
        assert ended.closed() == UNAUTHORIZED
        kept.ask("ping")
        assert kept.next() == {"type": "pong"}


def test_a_token_that_expires_closes_its_socket(online: Online, mine):
    clock = online.centre.clock
    token = online.centre.token(Role.PATIENT, mine[0], expires_ms=clock() + 50)
    with online.socket(token) as socket, online.socket(mine[1]) as kept:
        socket.next(), kept.next()
        clock.now_ms += 50
        assert socket.closed() == UNAUTHORIZED
        kept.ask("ping")
        assert kept.next() == {"type": "pong"}


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"\x83\x80\x00\x00\x00\x00", PROTOCOL_ERROR),  # an opcode that is reserved
        (b"\x81\x81\x00\x00\x00\x00\xff", NOT_UTF8),
    ],
    ids=["reserved", "not UTF-8"],
)
def test_a_frame_that_is_none_closes_the_socket(online: Online, mine, frame: bytes, code: int):
    with online.socket(mine[1]) as socket:
        socket.next()
        socket.client.sock.sendall(frame)
        assert socket.closed() == code


def test_a_peer_that_answers_no_ping_is_closed(tmp_path):
    impatient = Online(tmp_path, shares=Shares(ping_every_s=0.2))
    try:
        with impatient.socket(impatient.own_token(impatient.newcomer())) as socket:
            socket.next()
            client, receive = socket.client, socket.client.ws.events
            client.ws.events = lambda: (event for event in receive() if not isinstance(event, Ping))
            assert socket.closed() == NO_CODE
    finally:
        impatient.close()


def test_a_centre_without_a_hospital_asks_to_try_again_later(tmp_path):
    empty = Online(tmp_path)
    try:
        token = empty.own_token(empty.newcomer())
        with empty.socket(token) as socket:
            socket.next()
            with empty.centre.store.write() as db:
                db.execute("delete from site")
            socket.ask("fetch_initial_state")
            assert socket.closed() == TRY_AGAIN_LATER
    finally:
        empty.close()


def test_a_page_of_another_site_is_refused_before_the_handshake(online: Online, mine):
    for origin in ("https://evil.example", "null", f"http://{online.host}.evil.example"):
        with pytest.raises(NoHandshake) as refused, online.socket(mine[1], headers={"Origin": origin}):
            pass
        assert refused.value.status_code == 403
    for origin in (f"http://{online.host}", f"https://{online.host.partition(':')[0]}"):
        with online.socket(mine[1], headers={"Origin": origin}) as socket:
            assert socket.next()["type"] == "initial_state"


def test_a_request_that_is_no_handshake_is_a_bad_request(online: Online):
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    answer = online.call("GET", "/ws/patient-journey/", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


def test_a_message_beyond_the_limit_closes_the_socket_and_nothing_else(online: Online, mine):
    with online.socket(mine[1]) as socket:
        socket.next()
        socket.send({"command": "ping", "fill": "x" * 17_000})
        assert socket.closed() == TOO_BIG
    assert online.state(mine[1]).status_code == 200


def test_answers_to_many_actions_all_come_while_states_may_be_joined(online: Online, mine):
    ids = [new_id() for _ in range(20)]
    with online.socket(mine[1]) as socket:
        socket.next()
        for action_id in ids:
            socket.ask("perform_action", action_type="scan_nfc", payload={}, action_id=action_id)
        results = [socket.until("action_result") for _ in ids]
    assert [result["action_id"] for result in results] == ids
    assert [result["success"] for result in results] == [True] + [False] * 19


def test_a_burst_larger_than_may_wait_is_answered_whole_and_in_turn(online: Online, mine):
    ids = [new_id() for _ in range(3 * MANY)]
    with online.socket(mine[1]) as socket:
        socket.next()
        for action_id in ids:
            socket.ask("perform_action", action_type="scan_nfc", payload={}, action_id=action_id)
        assert [socket.until("action_result")["action_id"] for _ in ids] == ids
    stored = online.centre.rows("select count(*) as rows from actions where patient_id = :id", id=mine[0])
    assert stored[0]["rows"] == len(ids)


def test_a_burst_of_changes_ends_with_the_newest_state(online: Online, mine):
    with online.socket(mine[1]) as socket:
        socket.next()
        online.centre.walk(mine[0], "scan_nfc", "register", "confirm_arrival", "call_patient")
        while (message := socket.until("state_update"))["payload"]["action"] != "call_patient":
            pass
        assert message["payload"]["journey_state"] == "CALLED"


def test_many_threads_of_many_channels_leave_whole_messages(online: Online, mine):
    with online.socket(mine[1]) as socket:
        socket.next()
        calls = [
            threading.Thread(target=online.centre.act, args=(mine[0], action))
            for action in ("scan_nfc", "register", "confirm_arrival") * 5
        ]
        for call in calls:
            call.start()
            socket.ask("ping")
        for call in calls:
            call.join()
        types: list[str] = []
        while types.count("pong") < len(calls) or "state_update" not in types:
            types.append(socket.next()["type"])
        socket.ask("fetch_initial_state")
        state = socket.until("initial_state")["payload"]
    assert set(types) <= {"pong", "state_update"}
    assert types.count("pong") == len(calls)
    assert state["journey_state"] != "UNREGISTERED", "in whatever order the calls came"


def test_staff_follow_a_patient_and_act_for_others(online: Online, mine):
    other = online.newcomer()
    with online.socket(online.staff, query=f"?patient_id={mine[0]}") as socket:
        assert socket.next()["payload"]["available_actions"] == ["scan_nfc"]
        socket.ask("perform_action", action_type="scan_nfc", payload={})
        assert socket.until("state_update")["payload"]["journey_state"] == "ARRIVED"
        socket.ask("perform_action", action_type="scan_nfc", payload={"patient_id": other})
        assert socket.next()["success"]
        socket.ask("fetch_initial_state", patient_id=other)
        assert socket.next()["payload"]["journey_state"] == "ARRIVED"


def test_staff_who_name_nobody_get_no_state_until_they_do(online: Online, mine):
    with online.socket(online.staff) as socket:
        socket.ask("fetch_initial_state")
        assert socket.next()["code"] == "missing_patient_id"
        socket.ask("fetch_initial_state", patient_id="nobody")
        assert socket.next()["code"] == "unknown_patient"
        socket.ask("fetch_initial_state", patient_id=mine[0])
        assert socket.next()["type"] == "initial_state"
        socket.ask("perform_action", action_type="scan_nfc", payload={})
        assert socket.next()["code"] == "unknown_patient"
        socket.ask("perform_action", action_type="scan_nfc", payload={"patient_id": mine[0]})
        assert socket.next()["success"]
        socket.ask("ping")
        assert socket.next() == {"type": "pong"}, "it follows nobody, so it hears of no change"


def test_staff_who_follow_an_unknown_patient_are_told_and_the_socket_stays(online: Online):
    with online.socket(online.staff, query="?patient_id=nobody") as socket:
        assert socket.next()["code"] == "unknown_patient"
        socket.ask("ping")
        assert socket.next() == {"type": "pong"}


def test_a_patient_cannot_fetch_another(online: Online, mine):
    with online.socket(mine[1]) as socket:
        socket.next()
        socket.ask("fetch_initial_state", patient_id="P80")
        assert (socket.next()["code"]) == "forbidden"


def test_a_peer_that_is_gone_frees_its_place(online: Online, mine):
    with online.socket(mine[1]) as socket:
        socket.next()
        socket.client.sock.shutdown(SHUT_RDWR)
    assert wait_until(lambda: online.sockets.open_count == 0)


def test_a_peer_that_never_closes_its_side_is_cut_off(online: Online, mine):
    with online.socket(mine[1]) as socket:
        socket.next()
        client = socket.client
        client.ws.receive_data = lambda _: None  # it reads, and ignores every message
        online.centre.do("token-revoke", token=mine[1])
        client.thread.join(PATIENCE_S)
        assert not client.thread.is_alive()


def wait_until(condition) -> bool:
    """Whether a condition comes true before the time limit."""
    done = threading.Event()
    for _ in range(PATIENCE_S * 100):
        if condition():
            return True
        done.wait(0.01)
    return False


def test_one_socket_too_many_is_told_to_use_plain_requests(tmp_path):
    small = Online(tmp_path, max_sockets=1)
    try:
        token = small.own_token(small.newcomer())
        with small.socket(token) as first:
            first.next()
            with pytest.raises(NoHandshake) as refused, small.socket(token):
                pass
            assert refused.value.status_code == 503
            plain = small.call("GET", "/ws/patient-journey/", token, headers=HANDSHAKE)
            assert (plain.status_code, plain.headers["Retry-After"]) == (503, "1")
            assert small.state(token).status_code == 200
        assert wait_until(lambda: small.sockets.open_count == 0)
        with small.socket(token) as again:
            assert again.next()["type"] == "initial_state"
    finally:
        small.close()


def test_one_token_cannot_take_every_place(tmp_path):
    shared = Online(tmp_path, 2 * SOCKETS_OF_A_TOKEN)
    try:
        token, other = (shared.own_token(shared.newcomer()) for _ in range(2))
        with ExitStack() as stack:
            for _ in range(SOCKETS_OF_A_TOKEN):
                stack.enter_context(shared.socket(token)).next()
            with pytest.raises(NoHandshake) as refused, shared.socket(token):
                pass
            assert refused.value.status_code == 503
            with shared.socket(other) as socket:
                assert socket.next()["type"] == "initial_state"
    finally:
        shared.close()


def test_a_stop_tells_every_socket(tmp_path):
    ending = Online(tmp_path)
    with ending.socket(ending.own_token(ending.newcomer())) as socket:
        socket.next()
        ending.close()
        assert socket.closed() == GOING_AWAY


def test_a_database_that_fails_is_answered_and_the_socket_stays(tmp_path):
    broken = Online(tmp_path)
    try:
        token = broken.own_token(broken.newcomer())
        with broken.socket(token) as socket:
            socket.next()
            with broken.centre.store.write() as db:
                db.execute("alter table actions rename to hidden")
            action_id = new_id()
            socket.ask("perform_action", action_type="scan_nfc", payload={}, action_id=action_id)
            answer = socket.next()
            assert (answer["code"], answer["action_id"], answer["success"]) == ("busy", action_id, False)
            assert broken.act(token, "scan_nfc").status_code == 503
            with broken.centre.store.write() as db:
                db.execute("alter table hidden rename to actions")
            socket.ask("perform_action", action_type="scan_nfc", payload={}, action_id=action_id)
            assert socket.next()["success"]
    finally:
        broken.close()


def test_a_failure_inside_closes_the_socket_and_tells_nothing(tmp_path):
    broken = Online(tmp_path)
    try:
        patient_id = broken.newcomer()
        token = broken.own_token(patient_id)
        with broken.socket(token) as socket:
            socket.next()
            with broken.centre.store.write() as db:
                db.execute("update entries set label_aliases = 'x'")
                db.execute("update site set languages = '{'")
            socket.ask("fetch_initial_state")
            assert socket.closed() == 1011
        answer = broken.state(token)
        assert (answer.status_code, answer.json()["code"]) == (500, "internal")
        assert "Traceback" not in answer.text
    finally:
        broken.close()
