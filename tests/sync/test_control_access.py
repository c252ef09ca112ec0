"""Who may use a control socket, and how much of the daemon its clients can take up."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sync.control import RETRY_S, Access, ControlError, ControlServer, ask, socket_path


def echo(request: Mapping[str, Any]) -> object:
    return dict(request)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return socket_path(tmp_path / "kiosk.db")


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o177])
def test_a_socket_for_a_group_has_the_rights_that_it_was_given_with_any_umask(path: Path, umask: int):
    before = os.umask(umask)
    running = ControlServer(path, lambda _: {"echo": echo}, Access(mode=0o660))
    try:
        running.start()
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        assert ask(path, "echo") == {}
    finally:
        os.umask(before)
        running.stop()


def test_a_file_that_is_no_socket_is_left_alone_and_is_an_error(path: Path):
    path.write_text("the accounts of 2025", "utf-8")
    with pytest.raises(OSError, match="in use"):
        ControlServer(path, lambda _: {}).start()
    assert path.read_text("utf-8") == "the accounts of 2025"


def test_more_clients_than_places_wait_for_their_turn_and_get_their_answers(path: Path):
    at_work, go = threading.Semaphore(0), threading.Event()

    def hold(_: Mapping[str, Any]) -> object:
        at_work.release()
        return go.wait(30)

    running = ControlServer(path, lambda _: {"hold": hold}, Access(clients=2))
    running.start()
    before = set(threading.enumerate())
    answers: list[object] = []
    clients = [threading.Thread(target=lambda: answers.append(ask(path, "hold"))) for _ in range(5)]
    try:
        for client in clients:
            client.start()
        for _ in range(2):
            assert at_work.acquire(timeout=30)
        since = [thread.name for thread in threading.enumerate() if thread not in before]
        assert since.count("control request") == 2
        go.set()
        for client in clients:
            client.join(30)
        assert answers == [True] * 5
    finally:
        go.set()
        running.stop()


@pytest.mark.parametrize("sent", [b"", b'{"op": "echo"'], ids=["nothing", "half a request"])
def test_a_client_that_sends_no_whole_request_gives_its_place_back(path: Path, sent: bytes):
    running = ControlServer(path, lambda _: {"echo": echo}, Access(clients=1, request_s=0.2))
    running.start()
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as slow:
            slow.connect(str(path))
            slow.sendall(sent)
            assert ask(path, "echo", still="here") == {"still": "here"}
    finally:
        running.stop()


LONG_S = 600.0  # longer than the test may take


@pytest.mark.parametrize("sent", [b"", b'{"op": "echo"'], ids=["nothing", "half a request"])
def test_clients_that_ask_nothing_give_way_to_one_that_asks(path: Path, sent: bytes):
    running = ControlServer(path, lambda _: {"echo": echo}, Access(clients=3, request_s=LONG_S, slow_s=0.1))
    running.start()
    with contextlib.ExitStack() as crowd:
        for _ in range(12):
            slow = crowd.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            slow.connect(str(path))
            slow.sendall(sent)
        assert ask(path, "echo", still="here") == {"still": "here"}
    running.stop()


def test_a_slow_client_is_served_while_nobody_waits(path: Path):
    running = ControlServer(path, lambda _: {"echo": echo}, Access(clients=1, request_s=LONG_S, slow_s=0))
    running.start()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as slow:
        slow.connect(str(path))
        slow.sendall(b'{"op": ')
        assert not threading.Event().wait(3 * RETRY_S)
        slow.sendall(b'"echo", "still": "here"}\n')
        assert slow.makefile("rb").readline() == b'{"result": {"still": "here"}}\n'
    running.stop()


def test_an_operation_that_takes_long_is_never_cut(path: Path):
    at_work, go = threading.Event(), threading.Event()

    def hold(_: Mapping[str, Any]) -> object:
        at_work.set()
        return go.wait(30)

    running = ControlServer(path, lambda _: {"hold": hold, "echo": echo}, Access(clients=1, slow_s=0))
    running.start()
    answers: list[object] = []
    holding = threading.Thread(target=lambda: answers.append(ask(path, "hold")))
    waiting = threading.Thread(target=lambda: answers.append(ask(path, "echo")))
    holding.start()
    assert at_work.wait(30)
    waiting.start()
    waiting.join(3 * RETRY_S)
    assert answers == []
    go.set()
    for each in (holding, waiting):
        each.join(30)
    assert sorted(answers, key=str) == [True, {}]
    running.stop()


def test_a_client_that_sends_byte_by_byte_gets_no_more_time_than_others(path: Path):
    running = ControlServer(path, lambda _: {"echo": echo}, Access(clients=1, request_s=0.3))
    running.start()
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as slow:
            slow.settimeout(0.01)
            slow.connect(str(path))
            answer = None
            while answer is None:
                with contextlib.suppress(TimeoutError):
                    slow.sendall(b" ")
                    answer = slow.recv(1)
            assert answer == b""
    except (BrokenPipeError, ConnectionResetError):
        pass  # the server has hung up between two bytes
    finally:
        running.stop()


def test_a_request_over_the_limit_of_its_socket_is_refused(path: Path):
    running = ControlServer(path, lambda _: {"echo": echo}, Access(max_line=200))
    running.start()
    try:
        assert ask(path, "echo", text="x" * 100) == {"text": "x" * 100}
        with pytest.raises(ControlError, match="does not know this request"):
            ask(path, "echo", text="x" * 300)
    finally:
        running.stop()


def test_a_stop_ends_the_thread_that_waits_for_a_place(path: Path):
    running = ControlServer(path, lambda _: {"echo": echo}, Access(clients=1))
    running.start()
    accepting = [thread for thread in threading.enumerate() if thread.name == "control"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as silent:
        silent.connect(str(path))
        while not any(thread.name == "control request" for thread in threading.enumerate()):
            time.sleep(0.01)
        running.stop()
        for thread in accepting:
            thread.join(30)
            assert not thread.is_alive()
