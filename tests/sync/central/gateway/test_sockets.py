"""WebSockets that the gateway holds: floods of a client, clients that read nothing, ends of all kinds."""

from __future__ import annotations

import time
from contextlib import closing, suppress

import pytest
from simple_websocket import ConnectionClosed
from simple_websocket import ConnectionError as NoHandshake

from tests.sync.central.gateway.conftest import Stage
from tests.sync.central.online import PATIENCE_S, WholeClient


def open_socket(stage: Stage, query: str = "") -> WholeClient:
    return WholeClient(f"ws://127.0.0.1:{stage.gateway.port}/socket{query}")


def test_messages_come_back_in_their_order(stage: Stage):
    with closing(open_socket(stage)) as client:
        assert client.receive(PATIENCE_S) == "hello"
        for number in range(50):
            client.send(str(number))
        assert [client.receive(PATIENCE_S) for _ in range(50)] == [str(number) for number in range(50)]


def test_a_refusal_comes_before_the_upgrade(stage: Stage):
    with pytest.raises(NoHandshake) as refused:
        open_socket(stage, "?refused=1")
    assert refused.value.status_code == 403


def test_of_a_flood_no_more_is_read_than_is_answered(stage: Stage):
    client = open_socket(stage)
    client.receive(PATIENCE_S)
    stage.hold.clear()
    client.send("x")
    while not stage.received:
        time.sleep(0.01)
    client.sock.settimeout(1.0)
    sent = 0
    with suppress(OSError):
        while sent < 64 * 1024 * 1024:
            client.send("x" * 10_000)
            sent += 10_000
    assert stage.received == 1
    assert sent < 16 * 1024 * 1024, "the client has to wait"
    client.sock.close()


def test_a_client_that_reads_slowly_gets_the_newest_and_fills_no_memory(stage: Stage):
    with closing(open_socket(stage)) as client:
        client.receive(PATIENCE_S)
        stage.sockets[0].wake()
        newest = ""
        while newest != "000999" * 1000:
            newest = client.receive(PATIENCE_S)
            assert newest is not None


def test_a_client_that_leaves_ends_the_conversation(stage: Stage):
    client = open_socket(stage)
    client.receive(PATIENCE_S)
    client.close()
    assert stage.ended.acquire(timeout=PATIENCE_S)


@pytest.mark.parametrize("code", [1000, 1001, 3000])
def test_a_client_that_closes_is_answered_with_1000(stage: Stage, code: int):
    connection = stage.connect()
    connection.sendall(
        b"GET /socket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    stream = connection.makefile("rb")
    while stream.readline() != b"\r\n":
        pass
    assert stream.read(7) == b"\x81\x05hello"
    connection.sendall(b"\x88\x82\0\0\0\0" + code.to_bytes(2, "big"))
    assert stream.read(4) == b"\x88\x02" + (1000).to_bytes(2, "big")


def test_a_stop_closes_every_socket(stage: Stage):
    client = open_socket(stage)
    client.receive(PATIENCE_S)
    stage.gateway.close_worker()
    with pytest.raises(ConnectionClosed) as end:
        client.receive(PATIENCE_S)
    assert end.value.reason == 1001
