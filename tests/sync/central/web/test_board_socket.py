"""The WebSocket of a board, with real clients on a real server."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from simple_websocket import ConnectionClosed

from sync.central.records.duties import Duty
from sync.central.web.board_messages import BOARD_SENT, BOARD_TAKEN
from sync.central.web.board_socket import COMMANDS
from sync.journey.model import STAFF, Role
from tests.sync.central.board_client import BoardClient
from tests.sync.central.held_to_document import hold_message_to_document
from tests.sync.central.online import API, PATIENCE_S, Online, Socket
from tests.sync.central.staff.people import headers_of, person

BOARD = f"{API}/board/"
PATH = "/ws/board/"
UNAUTHORIZED, FORBIDDEN, TRY_AGAIN_LATER = 4401, 4403, 1013


def comes_to_line(online: Online) -> str:
    patient_id = online.newcomer()
    online.centre.walk(patient_id, "scan_nfc", "register", "confirm_arrival")
    return patient_id


def board(online: Online, exams: str = "") -> dict[str, object]:
    return dict(online.call("GET", BOARD, online.staff, params={"exams": exams}).json())


def until(socket: Socket, client: BoardClient, patient_id: str, state: str) -> dict[str, object]:
    """Takes messages until a patient's row is in a state. Returns the last message."""
    while True:
        message = socket.next()
        client.take(message)
        if any(row["patient_id"] == patient_id and row["state"] == state for row in client.rows.values()):
            return message


@pytest.mark.parametrize("browser", [False, True])
def test_the_whole_board_comes_first(online: Online, browser: bool):
    comes_to_line(online)
    with online.socket(online.staff, path=PATH, browser=browser) as socket:
        message = socket.next()
        assert message["type"] == "board"
        shown = board(online)
        assert message["payload"]["entries"] == shown["entries"]
        assert message["payload"]["exams"] == shown["exams"]
        assert socket.client.subprotocol == ("bearer" if browser else None)


def test_a_change_over_any_channel_comes_by_itself(online: Online):
    patient_id, client = comes_to_line(online), BoardClient()
    with online.socket(online.staff, path=PATH, query="?exams=blood") as socket:
        client.take(socket.next())
        assert online.act(online.staff, "call_patient", patient_id=patient_id, room="7").ok
        until(socket, client, patient_id, "called")
        online.centre.act(patient_id, "start_exam", STAFF)
        message = until(socket, client, patient_id, "in_progress")
        assert message["type"] == "board_update"
        assert [row["patient_id"] for row in message["payload"]["rows"]] == [patient_id]
        assert message["payload"]["order"] == {}
        another = comes_to_line(online)
        until(socket, client, another, "waiting")
    assert client.shown() == board(online, "blood")["entries"]  # those of one line, in its order


def test_an_entry_that_ends_is_gone_and_told_as_ended(online: Online):
    patient_id, client = comes_to_line(online), BoardClient()
    with online.socket(online.staff, path=PATH, query="?exams=blood") as socket:
        client.take(socket.next())
        (queue_id,) = [row["queue_id"] for row in client.rows.values() if row["patient_id"] == patient_id]
        online.centre.act(patient_id, "cancel_appointment", STAFF)
        while queue_id in client.rows:
            client.take(message := socket.next())
        assert queue_id in message["payload"]["gone"]
        assert client.ended[queue_id]["state"] == "cancelled"


def test_nothing_comes_of_the_lines_of_other_exams(online: Online):
    client = BoardClient()
    with online.socket(online.staff, path=PATH, query="?exams=blood") as socket:
        client.take(socket.next())
        walk_in = online.newcomer(booked=False)
        online.centre.walk(walk_in, "scan_nfc", "register", "confirm_arrival")
        booked = comes_to_line(online)
        until(socket, client, booked, "waiting")
        assert walk_in not in {row["patient_id"] for row in client.rows.values()}


def test_a_board_watches_other_exams_when_it_asks(online: Online):
    walk_in, client = online.newcomer(booked=False), BoardClient()
    with online.socket(online.staff, path=PATH, query="?exams=blood") as socket:
        socket.next()
        socket.ask("watch", exams=["desk", "xray"])
        message = socket.until("board")
        assert [each["exam_id"] for each in message["payload"]["exams"]] == ["desk", "xray"]
        client.take(message)
        online.centre.walk(walk_in, "scan_nfc", "register", "confirm_arrival")
        until(socket, client, walk_in, "waiting")
        socket.ask("watch", exams=["nowhere"])
        assert socket.until("error")["code"] == "not_found"
        online.centre.act(walk_in, "call_patient", STAFF)
        until(socket, client, walk_in, "called")


@pytest.mark.parametrize("exams", ["blood", [""], ["a" * 129], [1], ["x"] * 201, {"a": 1}])
def test_a_watch_of_another_form_is_refused(online: Online, exams: object):
    with online.socket(online.staff, path=PATH) as socket:
        socket.next()
        socket.ask("watch", exams=exams)
        assert socket.until("error")["code"] == "malformed"
        socket.ask("ping")
        assert socket.until("pong") == {"type": "pong"}


def test_every_message_of_the_document_is_said_and_every_command_taken(online: Online):
    heard = set()
    with online.socket(online.staff, path=PATH) as socket:
        heard.add(hold_message_to_document(socket.next()))
        patient_id = comes_to_line(online)
        heard.add(hold_message_to_document(socket.until("board_update")))
        online.centre.act(patient_id, "cancel_appointment", STAFF)
        socket.ask("ping")
        heard.add(hold_message_to_document(socket.until("pong")))
        socket.send("no command")
        heard.add(hold_message_to_document(socket.until("error")))
        socket.ask("renew", token=online.staff)
        heard.add(hold_message_to_document(socket.until("renewed")))
        socket.ask("renew", token=online.centre.token(Role.STAFF, name="Another"))
        assert socket.until("error")["code"] == "forbidden"
    assert heard == {kind.__name__ for kind in BOARD_SENT}
    assert {kind.__struct_config__.tag for kind in BOARD_TAKEN} == set(COMMANDS)


def test_it_is_for_staff_alone(online: Online):
    with online.socket(None, path=PATH) as socket:
        assert socket.closed() == UNAUTHORIZED
    with online.socket(online.own_token(online.newcomer()), path=PATH) as socket:
        assert socket.closed() == FORBIDDEN


def test_a_revoked_token_closes_it(online: Online):
    token = online.centre.token(Role.STAFF, name="Board 9")
    with online.socket(token, path=PATH) as socket:
        socket.next()
        online.centre.do("token-revoke", token=token)
        assert socket.closed() == UNAUTHORIZED


def test_a_session_without_a_press_closes_it_though_the_lines_move(online: Online):
    """What changes in the lines is no press, and puts no end off."""
    headers = headers_of(online, person(online, Duty.EXAM_ROOM))
    with online.socket(None, path=PATH, headers=headers) as socket:
        assert socket.next()["type"] == "board"
        online.centre.clock.now_ms += 61 * 60_000
        comes_to_line(online)
        with pytest.raises(ConnectionClosed) as closed:
            socket.client.receive(timeout=PATIENCE_S)
        assert closed.value.reason == UNAUTHORIZED


def test_an_unknown_exam_is_said_and_the_socket_stays_open(online: Online):
    with online.socket(online.staff, path=PATH, query="?exams=nowhere") as socket:
        assert socket.next()["code"] == "not_found"
        socket.ask("watch", exams=["desk"])
        assert socket.next()["type"] == "board"


def test_many_boards_hear_the_same(online: Online):
    with ExitStack() as opened:
        sockets = [opened.enter_context(online.socket(online.staff, path=PATH)) for _ in range(16)]
        clients = [BoardClient() for _ in sockets]
        for socket, client in zip(sockets, clients, strict=True):
            client.take(socket.next())
        patient_id = comes_to_line(online)
        for socket, client in zip(sockets, clients, strict=True):
            until(socket, client, patient_id, "waiting")
        assert all(client.shown() == clients[0].shown() for client in clients)


def test_a_member_of_staff_whose_board_shows_a_patient_leaves_one_row(online: Online):
    token = online.centre.token(Role.STAFF, name="Board of ward 3")
    patient_id = comes_to_line(online)
    for _ in range(2):
        with online.socket(token, path=PATH) as socket:
            socket.next()
    rows = online.centre.rows(
        "select detail from audit where kind = 'look:board' and who like 'staff:Board of ward 3%'"
    )
    assert len(rows) == 1
    assert patient_id in rows[0]["detail"]


def test_a_centre_that_cannot_answer_now_closes_the_boards(tmp_path):
    online = Online(tmp_path)
    try:
        with online.socket(online.staff, path=PATH) as socket:
            socket.next()
            with online.centre.store.write() as db:
                db.execute("delete from site")
                db.announce(db.next_change(), "P01")
            assert socket.closed() == TRY_AGAIN_LATER
        with online.socket(online.staff, path=PATH) as socket:
            assert socket.closed() == TRY_AGAIN_LATER
    finally:
        online.close()
