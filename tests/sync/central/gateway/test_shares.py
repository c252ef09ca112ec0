"""What one client takes up, and that the others still get theirs."""

from __future__ import annotations

import json
from contextlib import suppress

from sync.central.gateway.gateway import SHARES, Shares
from sync.central.web.socket_places import MAX_SOCKETS
from tests.sync.central.gateway.conftest import Stage, ask, is_ended, read_answer

# The client wrote the first line, and the proxy added the second one.
_FORGED = b"GET /held HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 198.51.100.%d\r\nX-Forwarded-For: %s\r\n\r\n"
_LARGEST_HOSPITAL = 500 + 2_000 + 50  # boards, telephones and kiosks, which may stand behind one router
ATTACKER, HONEST = "127.0.0.7", "127.0.0.8"


def test_an_address_has_its_share_of_the_connections_and_is_told_so():
    stage = Stage(Shares(connections=20, of_an_address=5))
    try:
        held = [stage.connect(ATTACKER) for _ in range(5)]
        for each in held:
            assert ask(each)[0] == 200
        status, body = read_answer(stage.connect(ATTACKER))
        assert (status, json.loads(body)["code"]) == (503, "busy")
        assert ask(stage.connect(HONEST))[0] == 200
        held[0].close()
        _await_place(stage, ATTACKER)
    finally:
        stage.close()


def test_a_large_hospital_fits_behind_one_address_and_leaves_as_much_for_others():
    assert SHARES.of_an_address > _LARGEST_HOSPITAL
    assert SHARES.connections >= 2 * SHARES.of_an_address
    assert SHARES.waiting >= _LARGEST_HOSPITAL, "all come back at once after an outage"
    assert MAX_SOCKETS >= _LARGEST_HOSPITAL - 50


def test_in_a_full_house_the_one_with_most_gives_up_an_idle_place():
    stage = Stage(Shares(connections=6, of_an_address=100))
    try:
        held = [stage.connect(ATTACKER) for _ in range(6)]
        for each in held:
            assert ask(each)[0] == 200
        assert ask(stage.connect(HONEST))[0] == 200
        assert is_ended(held[0])
        assert ask(held[5])[0] == 200
    finally:
        stage.close()


def test_in_a_full_house_nobody_gives_up_a_place_for_one_who_has_as_many():
    stage = Stage(Shares(connections=2, of_an_address=100))
    try:
        first, second = stage.connect(ATTACKER), stage.connect(HONEST)
        assert (ask(first)[0], ask(second)[0]) == (200, 200)
        assert read_answer(stage.connect(HONEST))[0] == 503
        assert (ask(first)[0], ask(second)[0]) == (200, 200)
    finally:
        stage.close()


def test_a_flood_of_calls_waits_behind_itself_and_others_behind_one_of_it():
    stage = Stage(Shares(with_worker=2, waiting=50))
    try:
        stage.hold.clear()
        flood = [stage.connect(ATTACKER) for _ in range(40)]
        for each in flood:
            each.sendall(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n")
        for _ in range(2):
            assert stage.begun.acquire(timeout=30)
        honest = stage.connect(HONEST)
        honest.sendall(b"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n")
        stage.hold.set()
        assert read_answer(honest)[0] == 200
        assert {read_answer(each)[0] for each in flood} == {200}
    finally:
        stage.close()


def test_calls_of_one_address_beyond_all_measure_are_refused():
    stage = Stage(Shares(with_worker=1, waiting=3))
    try:
        stage.hold.clear()
        flood = [stage.connect(ATTACKER) for _ in range(10)]
        for each in flood:
            each.sendall(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n")
        refused = [read_answer(each) for each in flood if _is_answered(each)]
        while len(refused) < 6:
            refused += [read_answer(each) for each in flood if _is_answered(each)]
        assert {status for status, _ in refused} == {503}
        honest = stage.connect(HONEST)
        honest.sendall(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n")
        stage.hold.set()
        assert read_answer(honest)[0] == 200
    finally:
        stage.close()


def test_those_who_wait_for_news_keep_nobody_from_acting():
    stage = Stage(Shares(with_worker=2))
    try:
        waiting = [stage.connect(ATTACKER) for _ in range(50)]
        for each in waiting:
            each.sendall(b"GET /later HTTP/1.1\r\nHost: x\r\n\r\n")
            assert stage.begun.acquire(timeout=30)
        assert ask(stage.connect(HONEST))[0] == 200
    finally:
        stage.close()


def test_the_share_behind_a_trusted_proxy_is_the_clients():
    stage = Stage(Shares(of_an_address=2, with_worker=1, waiting=2), ("127.0.0.9/32",))
    try:
        stage.hold.clear()
        flood = [stage.connect("127.0.0.9") for _ in range(8)]
        for number, each in enumerate(flood):
            each.sendall(_FORGED % (number, b"192.0.2.1"))
        honest = stage.connect("127.0.0.9")
        honest.sendall(b"GET /held HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.2\r\n\r\n")
        refused = 0
        while refused < 5:
            for each in flood:
                if _is_answered(each):
                    refused += read_answer(each)[0] == 503
        stage.hold.set()
        assert read_answer(honest)[0] == 200
    finally:
        stage.close()


def _is_answered(connection) -> bool:
    connection.setblocking(False)
    try:
        with suppress(BlockingIOError):
            return bool(connection.recv(1, 2))  # MSG_PEEK
        return False
    finally:
        connection.settimeout(30)


def _await_place(stage: Stage, address: str) -> None:
    """Waits until the address has a place again. Where it has none, the refusal may come before the request is sent."""
    while True:
        with suppress(ConnectionError):
            if ask(stage.connect(address))[0] == 200:
                return


def test_a_client_that_leaves_does_not_free_the_worker_for_another_of_its_calls():
    stage = Stage(Shares(with_worker=2))
    try:
        stage.hold.clear()
        for _ in range(10):
            each = stage.connect(ATTACKER)
            each.sendall(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n")
            each.close()
        for _ in range(2):
            assert stage.begun.acquire(timeout=30)
        honest = stage.connect(HONEST)
        honest.sendall(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n")
        assert not stage.begun.acquire(blocking=False)
        stage.hold.set()
        assert read_answer(honest)[0] == 200
    finally:
        stage.close()


def test_a_client_that_leaves_before_its_socket_is_open_leaves_none_behind():
    stage = Stage(Shares(with_worker=1))
    try:
        stage.hold.clear()
        busy, leaving = stage.connect(), stage.connect()
        busy.sendall(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n")
        assert stage.begun.acquire(timeout=30)
        leaving.sendall(
            b"GET /slow-socket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        stage.hold.set()
        assert read_answer(busy)[0] == 200
        assert stage.begun.acquire(timeout=30)
        leaving.close()
        stage.opening.set()
        assert stage.ended.acquire(timeout=30)
    finally:
        stage.close()


def test_bodies_that_drip_take_no_more_memory_than_an_address_may_have():
    stage = Stage(Shares(body_bytes_of_an_address=1000))
    try:
        head = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 400\r\n\r\n"
        dripping = [stage.connect(ATTACKER) for _ in range(2)]
        for each in dripping:
            each.sendall(head + b"x")
        refused = stage.connect(ATTACKER)
        _await_refusal(refused, head)
        honest = stage.connect(HONEST)
        honest.sendall(head + b"y" * 400)
        assert read_answer(honest)[0] == 200
        dripping[0].sendall(b"x" * 399)
        assert read_answer(dripping[0])[0] == 200
        again = stage.connect(ATTACKER)
        again.sendall(head + b"z" * 400)
        assert read_answer(again)[0] == 200
    finally:
        stage.close()


def _await_refusal(connection, head: bytes) -> None:
    connection.sendall(head + b"x")
    status, body = read_answer(connection)
    assert (status, json.loads(body)["code"]) == (503, "busy")
