"""How a request comes through the gateway, and what becomes of one that is not whole."""

import json
import random
import socket
import threading
from contextlib import suppress

import pytest

from sync.central.gateway.body import MAX_BODY
from sync.central.gateway.gateway import Shares
from sync.central.web.later import LateResponse
from tests.sync.central.gateway.conftest import Stage, ask, is_ended, read_answer
from tests.sync.central.online import PATIENCE_S


def test_a_request_arrives_as_it_was_sent(stage: Stage):
    connection = stage.connect()
    body = b"some \xff bytes"
    connection.sendall(
        b"PUT /echo?q=%ED%95%9C&x=1 HTTP/1.1\r\nHost: x\r\nX-One: 1\r\nX-One: 2\r\nX_One: 3\r\n"
        + b"Content-Length: %d\r\n\r\n" % len(body)
        + body
    )
    status, answer = read_answer(connection)
    got = json.loads(answer)
    assert (status, got["method"], got["query"]) == (200, "PUT", "q=%ED%95%9C&x=1")
    assert got["body"].encode("latin-1") == body
    assert got["headers"]["X-One"] == "1,2", "a name with an underscore could pass for another one"
    assert got["address"] == "127.0.0.1"


def test_requests_of_one_connection_are_answered_in_turn(stage: Stage):
    connection = stage.connect()
    connection.sendall(b"".join(b"GET /echo?%d HTTP/1.1\r\nHost: x\r\n\r\n" % number for number in range(20)))
    stream = connection.makefile("rb")
    queries = []
    while len(queries) < 20:
        line = stream.readline()
        if line.startswith(b"{"):
            queries.append(json.loads(line)["query"])
    assert queries == [str(number) for number in range(20)]


def test_a_body_in_chunks_is_whole(stage: Stage):
    connection = stage.connect()
    connection.sendall(
        b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"
    )
    assert json.loads(read_answer(connection)[1])["body"] == "abcdefg"


def test_a_client_that_waits_for_leave_to_send_gets_it(stage: Stage):
    connection = stage.connect()
    connection.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert connection.recv(25, socket.MSG_WAITALL).startswith(b"HTTP/1.1 100 Continue\r\n")
    connection.sendall(b"hi")
    assert json.loads(read_answer(connection)[1])["body"] == "hi"


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_beyond_all_limits_is_not_kept(stage: Stage, chunked: bool):
    stage.app.config["MAX_CONTENT_LENGTH"] = 1000
    connection = stage.connect()
    size = MAX_BODY + 1
    how = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}"
    connection.sendall(f"POST /echo HTTP/1.1\r\nHost: x\r\n{how}\r\n\r\n".encode())
    sending = threading.Thread(target=_send, args=(connection, size, chunked))
    sending.start()
    assert read_answer(connection)[0] == 413
    sending.join()


def _send(connection: socket.socket, size: int, chunked: bool) -> None:
    with suppress(OSError):  # it is refused before its end
        connection.sendall(b"%x\r\n" % size + b"x" * size + b"\r\n0\r\n\r\n" if chunked else b"x" * size)


@pytest.mark.parametrize(
    "sent",
    [b"GET /echo HTTP/1.1\r\nHost:", b"", b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf"],
    ids=["half a head", "nothing", "half a body"],
)
def test_a_request_that_is_not_whole_in_time_ends_its_connection(sent: bytes):
    stage = Stage(Shares(patience_s=0.2, body_bytes_a_second=10**9))
    try:
        connection = stage.connect()
        connection.sendall(sent)
        assert is_ended(connection)
        stage.connect_answered()
    finally:
        stage.close()


def test_a_byte_now_and_then_buys_no_time():
    stage = Stage(Shares(patience_s=0.3))
    try:
        connection = stage.connect()
        connection.settimeout(0.02)
        ended = False
        for byte in b"GET /echo HTTP/1.1\r\nHost: " + b"x" * 10_000:
            try:
                connection.sendall(bytes([byte]))
                ended = connection.recv(1) == b""
            except TimeoutError:
                continue
            except OSError:
                ended = True
            if ended:
                break
        assert ended
    finally:
        stage.close()


def test_a_second_request_has_its_own_time():
    stage = Stage(Shares(patience_s=0.3))
    try:
        connection = stage.connect_answered()
        connection.sendall(b"GET /echo HTTP/1.1\r\n")
        assert is_ended(connection)
    finally:
        stage.close()


@pytest.mark.parametrize("sent", [b"nonsense\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /" + b"x" * 20_000])
def test_what_is_no_request_is_told_so_in_the_form_of_every_answer(stage: Stage, sent: bytes):
    connection = stage.connect()
    connection.sendall(sent)
    status, body = read_answer(connection)
    assert (status, json.loads(body)["code"]) == (400, "malformed")
    assert is_ended(connection)


def test_a_client_that_leaves_ends_its_wait_for_news(stage: Stage):
    connection = stage.connect()
    connection.sendall(b"GET /later HTTP/1.1\r\nHost: x\r\n\r\n")
    assert stage.begun.acquire(timeout=30)
    connection.close()
    assert stage.gone.acquire(timeout=30)


def test_a_large_answer_comes_whole_to_each_however_late_they_read(stage: Stage):
    waiting = [stage.connect() for _ in range(4)]
    for each in waiting:
        each.sendall(b"GET /later HTTP/1.1\r\nHost: x\r\n\r\n")
        assert stage.begun.acquire(timeout=PATIENCE_S)
    page = random.Random(1).randbytes(8 * 1024 * 1024)  # more than the system keeps for a client
    for number, deliver in enumerate(stage.parked):
        deliver(LateResponse(200, [("Content-Type", "text/plain")], b"%d" % number, page))
    assert ask(stage.connect())[0] == 200, "nobody else waits for those who do not read"
    answers = sorted(read_answer(each) for each in reversed(waiting))
    assert answers == [(200, b"%d" % number + page) for number in range(4)]
    assert ask(waiting[0])[0] == 200, "the connection goes on"


def test_each_who_waits_gets_its_own_words_and_the_rest_that_many_get(stage: Stage):
    waiting = [stage.connect() for _ in range(4)]
    for each in waiting:
        each.sendall(b"GET /later HTTP/1.1\r\nHost: x\r\n\r\n")
        assert stage.begun.acquire(timeout=30)
    page, other = b"page" * 100_000, b"other"
    for number, rest in enumerate((page, page, other, b"")):
        stage.parked[number](LateResponse(200, [], b"%d" % number, rest))
    got = [read_answer(each)[1] for each in waiting]
    assert got == [b"0" + page, b"1" + page, b"2" + other, b"3"]


def test_news_reach_who_waits_with_the_headers_of_the_answer(stage: Stage):
    connection = stage.connect()
    connection.sendall(b"GET /later HTTP/1.1\r\nHost: x\r\n\r\n")
    assert stage.begun.acquire(timeout=30)
    stage.parked[0](LateResponse(201, [("X-About", "news")], b"ne", b"ws"))
    head, _, body = connection.recv(65536).partition(b"\r\n\r\n")
    assert (head.split()[1], b"X-About: news" in head, body) == (b"201", True, b"news")
