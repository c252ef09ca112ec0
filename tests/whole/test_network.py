"""Kiosk and centre as real processes, over a wire that is cut, and with a centre that stops."""

from __future__ import annotations

import contextlib
import signal
import socket
from pathlib import Path

import pytest

from kiosk.demo.hospital import wait_for
from kiosk.demo.wire import CHUNK, Relay, Wire, hang_up
from tests.whole.town import WAIT_S, Town

pytestmark = pytest.mark.processes


def test_taps_go_on_while_the_centre_is_away_and_are_all_there_once_after(town: Town):
    first, *rest = town.people[:4]
    assert town.check_in(first)["journey"]["journey_state"] == "WAITING"
    town.await_settled()
    town.central.kill()
    wait_for(lambda: not town.status()["online"], "the kiosk never noticed", WAIT_S)
    for person in rest:
        screen = town.check_in(person)
        assert (screen["confirmed"], screen["central"]["online"]) == (False, False)
    assert town.status()["outbox"]["pending"] == 9
    town.start_central()
    town.await_settled()
    for person in town.people[:4]:
        assert town.state(person)["journey_state"] == "WAITING"
        assert [row["action"] for row in town.history(person)] == ["scan_nfc", "register", "confirm_arrival"]
    assert {row["status"] for row in town.outbox()} == {"applied"}
    assert town.check()["ok"]


def test_a_reply_that_is_lost_does_not_check_in_twice(tmp_path: Path):
    """The centre commits and the kiosk gets no answer, so the kiosk sends the same action again."""
    town = Town(tmp_path, wire=LossyWire)
    try:
        town.open()
        assert isinstance(town.wire, LossyWire)
        person = town.people[0]
        town.wire.cut()
        town.check_in(person)
        actions = town.outbox()
        # The kiosk's agent pushes through a wire that loses the first answers to a push.
        town.wire.mend()
        wait_for(lambda: town.wire.lost >= 2, "no push came", WAIT_S)
        town.await_settled()
        assert [row["action_id"] for row in town.history(person)] == [row["action_id"] for row in actions]
    finally:
        town.close()


def test_a_call_by_staff_reaches_the_screen_of_the_patient_who_stands_there(town: Town):
    person = town.people[0]
    town.check_in(person)
    town.await_settled()
    assert town.perform(person, "call_patient", room="7").ok
    wait_for(lambda: town.screen()["ticket"]["called"], "the screen never said so", WAIT_S)
    assert town.screen()["ticket"]["room"] == "7"


def test_a_person_checked_in_at_the_kiosk_while_staff_cancelled_is_sent_to_the_desk(town: Town):
    person = town.people[0]
    town.wire.cut()
    wait_for(lambda: not town.status()["online"], "the kiosk never noticed", WAIT_S)
    town.check_in(person)
    booked = town.state(person)["appointments"]
    for appointment in booked:
        assert town.perform(person, "cancel_appointment", exam_id=appointment["exam_id"]).ok
    town.wire.mend()
    town.await_settled()
    statuses = {row["action_type"]: row["status"] for row in town.outbox()}
    assert statuses["confirm_arrival"] == "needs_staff"
    town.tap(person)
    assert town.screen()["said"]["place"] == "desk"
    assert town.check()["ok"]


def test_the_kiosk_stops_cleanly_with_sockets_open(town: Town):
    host, port = "127.0.0.1", town.places.kiosk_port
    (cookie,) = (f"{name}={value}" for name, value in town.page.cookies().items())
    sockets = [socket.create_connection((host, port)) for _ in range(3)]
    for each in sockets:
        each.sendall(
            f"GET /ws HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            f"Cookie: {cookie}\r\n\r\n".encode()
        )
        assert b"101" in each.recv(4096)
    assert town.kiosk is not None
    town.kiosk.process.send_signal(signal.SIGTERM)
    assert town.kiosk.process.wait(WAIT_S) == 0
    for each in sockets:
        each.close()


class LossyWire(Wire):
    """A wire that hangs up before the answer to the first two pushes."""

    def __init__(self, host: str, port: int) -> None:
        self.lost = 0
        super().__init__(host, port)

    def relay(self, near: socket.socket) -> Relay:
        return _LossyRelay(self, near)


class _LossyRelay(Relay):
    def __init__(self, wire: LossyWire, near: socket.socket) -> None:
        super().__init__(near, wire.target)
        self._wire = wire
        self._pushes = False

    def pass_requests(self, far: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := self.near.recv(CHUNK):
                self._pushes |= b"/sync/push" in data
                far.sendall(data)
        hang_up(far)

    def pass_answers(self, far: socket.socket) -> None:
        while data := far.recv(CHUNK):
            if self._pushes and self._wire.lost < 2:
                # The centre has answered, so it has committed. The kiosk gets no answer.
                self._wire.lost += 1
                return
            self.near.sendall(data)
