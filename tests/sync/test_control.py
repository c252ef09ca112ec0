"""The control socket between a command and a daemon: a real Unix socket, with good and bad peers."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import resource
import socket
import sqlite3
import stat
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from sync.control import MAX_LINE, Access, ControlError, ControlServer, NotRunning, Unanswered, ask, socket_path
from tests.components import demand

NOTHING = b""


def echo(request: Mapping[str, Any]) -> object:
    return dict(request)


def refuse(_: Mapping[str, Any]) -> object:
    raise ControlError("no such card")


def break_down(_: Mapping[str, Any]) -> object:
    raise RuntimeError("a secret of the inside")


def fill_up(_: Mapping[str, Any]) -> object:
    with contextlib.closing(sqlite3.connect(":memory:")) as db:
        db.execute("pragma max_page_count = 1")
        return db.execute("create table too_much (a)")


def unanswerable(_: Mapping[str, Any]) -> object:
    return object()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return socket_path(tmp_path / "kiosk.db")


@pytest.fixture
def server(path: Path) -> Iterator[ControlServer]:
    operations = {"echo": echo, "refuse": refuse, "break": break_down, "fill": fill_up, "object": unanswerable}
    running = ControlServer(path, lambda _: operations)
    running.start()
    yield running
    running.stop()


def test_operations_are_those_of_the_user_at_the_other_end(path: Path):
    running = ControlServer(path, lambda uid: {"who": lambda _: uid})
    running.start()
    assert ask(path, "who") == os.getuid()
    running.stop()


@pytest.mark.skipif(os.getuid() != 0, reason="only root may become another user")
def test_another_user_is_known_by_the_kernel_and_not_by_what_is_asked(path: Path):
    running = ControlServer(path, lambda uid: {"who": lambda _: uid}, Access(mode=0o666))
    running.start()
    path.parent.chmod(0o755)
    # Relative to the directory of the process: those above it are root's alone.
    script = (
        "import os, socket; os.setuid(65534); s = socket.socket(socket.AF_UNIX)\n"
        f's.connect({path.name!r}); s.sendall(b\'{{"op": "who", "uid": 0}}\\n\'); print(s.makefile().readline())'
    )
    ran = subprocess.run([sys.executable, "-c", script], cwd=path.parent, capture_output=True, text=True, check=False)
    assert json.loads(ran.stdout) == {"result": 65534}, ran.stderr
    running.stop()


def raw(path: Path, sent: bytes, *, half_close: bool = True) -> bytes:
    """Sends raw bytes, and returns what arrives until the other end closes."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(30)
        connection.connect(str(path))
        connection.sendall(sent)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as stream:
            return stream.read()


def test_the_socket_lies_beside_the_database():
    assert socket_path(Path("/var/lib/nfc-kiosk/kiosk.db")) == Path("/var/lib/nfc-kiosk/kiosk.db.sock")


def test_a_request_is_answered(server: ControlServer, path: Path):
    assert ask(path, "echo", uid="04a1", number=3, name="홍길동") == {"uid": "04a1", "number": 3, "name": "홍길동"}
    assert ask(path, "echo") == {}


def test_only_its_owner_may_use_the_socket_with_any_umask(path: Path):
    before = os.umask(0)
    running = ControlServer(path, lambda _: {})
    try:
        running.start()
        assert os.umask(0) == 0
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        os.umask(before)
        running.stop()


def test_the_daemons_refusal_is_an_error_with_its_sentence(server: ControlServer, path: Path):
    with pytest.raises(ControlError, match=r"^no such card$"):
        ask(path, "refuse")


def test_a_disk_that_is_full_is_named(server: ControlServer, path: Path):
    with pytest.raises(ControlError, match=r"^the database: database or disk is full$"):
        ask(path, "fill")


@pytest.mark.parametrize("op", ["break", "object"])
def test_an_internal_failure_is_reported_without_its_details(
    server: ControlServer, path: Path, op: str, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.CRITICAL + 1, logger="sync.control")
    with pytest.raises(ControlError, match=r"^internal error; the daemon's log says why$"):
        ask(path, op)
    assert ask(path, "echo", still="here") == {"still": "here"}


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"garbage\n",
        b"\xff\xfe\x00\n",
        b"[]\n",
        b"null\n",
        b"3\n",
        b'"echo"\n',
        b"{}\n",
        b'{"op": "dance"}\n',
        b'{"op": ["echo"]}\n',
        b'{"op": null}\n',
        b"[" * 50_000 + b"\n",
        b'{"op": "echo", "x": ' + b"[" * 20_000 + b"\n",
        NOTHING,
    ],
    ids=lambda line: repr(line[:24]),
)
def test_a_line_that_is_no_request_gets_an_error(server: ControlServer, path: Path, line: bytes):
    assert json.loads(raw(path, line)) == {"error": "the daemon does not know this request"}
    assert ask(path, "echo") == {}


def test_a_line_without_end_is_cut_off(server: ControlServer, path: Path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(30)
        connection.connect(str(path))
        with pytest.raises(OSError, match=r".+"):  # noqa: PT012 - the statement that fails depends on the buffers
            while True:
                connection.sendall(b"x" * MAX_LINE)
    assert ask(path, "echo") == {}


def test_a_request_that_is_too_long_is_refused_before_it_is_sent(server: ControlServer, path: Path):
    with pytest.raises(ControlError, match="too long"):
        ask(path, "echo", text="x" * MAX_LINE)


def test_a_long_answer_arrives_whole(path: Path):
    rows = [{"action_id": f"a-{n}", "status": "pending"} for n in range(20_000)]
    running = ControlServer(path, lambda _: {"outbox": lambda _: rows})
    running.start()
    try:
        assert ask(path, "outbox") == rows
    finally:
        running.stop()


def test_a_client_that_leaves_before_its_answer_does_no_harm(path: Path):
    asked, go = threading.Event(), threading.Event()

    def slowly(_: Mapping[str, Any]) -> object:
        asked.set()
        go.wait(30)
        return "x" * 1_000_000

    deaths: list[threading.ExceptHookArgs] = []
    before, threading.excepthook = threading.excepthook, deaths.append
    running = ControlServer(path, lambda _: {"slowly": slowly, "echo": echo})
    running.start()
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(str(path))
            connection.sendall(b'{"op": "slowly"}\n')
            assert asked.wait(30)
        serving = [t for t in threading.enumerate() if t.name == "control request"]
        go.set()
        for thread in serving:
            thread.join(30)
        assert ask(path, "echo") == {}
        assert deaths == []
    finally:
        threading.excepthook = before
        running.stop()


def test_many_clients_at_once_get_their_own_answers(server: ControlServer, path: Path):
    answers: dict[int, object] = {}

    def one(number: int) -> None:
        for _ in range(10):
            answers[number] = ask(path, "echo", number=number)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: {"number": number} for number in range(12)}


def test_a_deep_directory_and_a_long_path_are_reached_too(tmp_path: Path):
    deep = tmp_path / ("d" * 100) / ("e" * 100) / ("f" * 100)
    deep.mkdir(parents=True)
    path = socket_path(deep / "kiosk.db")
    assert len(os.fsencode(path)) > 300
    running = ControlServer(path, lambda _: {"echo": echo})
    running.start()
    try:
        assert ask(path, "echo", x=1) == {"x": 1}
    finally:
        running.stop()


def test_a_name_too_long_for_any_socket_is_an_error_at_both_ends(tmp_path: Path):
    path = tmp_path / ("n" * 200)
    with pytest.raises(OSError, match="too long"):
        ControlServer(path, lambda _: {}).start()
    with pytest.raises(ControlError, match="too long"):
        ask(path, "echo")


# No daemon.


@pytest.mark.parametrize("name", ["none.sock", "no/such/directory.sock", "file/x.sock"])
def test_a_missing_daemon_is_not_a_refusal(tmp_path: Path, name: str):
    (tmp_path / "file").write_text("")
    with pytest.raises(NotRunning):
        ask(tmp_path / name, "echo")


def test_the_socket_of_a_crashed_daemon_is_replaced_by_the_next_daemon(path: Path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as crashed:
        crashed.bind(str(path))
    with pytest.raises(NotRunning):
        ask(path, "echo")
    running = ControlServer(path, lambda _: {"echo": echo})
    running.start()
    try:
        assert ask(path, "echo") == {}
    finally:
        running.stop()


def test_after_a_stop_no_daemon_answers_and_no_file_is_left(path: Path):
    running = ControlServer(path, lambda _: {"echo": echo})
    running.stop()
    running.start()
    running.stop()
    running.stop()
    assert not path.exists()
    with pytest.raises(NotRunning):
        ask(path, "echo")


def test_a_socket_of_another_user_is_an_error_that_says_so():
    demand(os.geteuid() == 0, "root, to become somebody else,")
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        path = Path(name) / "kiosk.db.sock"
        running = ControlServer(path, lambda _: {"echo": echo})
        running.start()
        os.seteuid(65534)
        try:
            with pytest.raises(ControlError, match="only the daemon's own user and root may ask it"):
                ask(path, "echo")
        finally:
            os.seteuid(0)
            running.stop()


# Peers that are no daemon.


def answering(path: Path, answer: bytes, *, reset: bool = False) -> threading.Thread:
    """A listener that answers one connection with these bytes."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen(1)

    def serve() -> None:
        with listener:
            connection, _ = listener.accept()
            with connection:
                if not reset:
                    connection.recv(MAX_LINE)
                connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


@pytest.mark.parametrize("answer", [b"", b"\n", b"garbage\n", b"\xff\n", b"[]\n", b"null\n", b'{"result": 1'])
def test_an_unreadable_answer_is_a_clear_error(path: Path, answer: bytes):
    daemon = answering(path, answer)
    with pytest.raises(Unanswered, match="no answer that can be read"):
        ask(path, "echo")
    daemon.join()


def test_a_connection_that_breaks_is_a_clear_error(path: Path):
    daemon = answering(path, b"", reset=True)
    with pytest.raises(Unanswered):
        ask(path, "echo", text="x" * 1000)
    daemon.join()


def test_a_daemon_that_does_not_answer_in_time_is_a_time_out(path: Path):
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with listener:
        listener.bind(str(path))
        listener.listen(1)
        with pytest.raises(TimeoutError):
            ask(path, "echo", timeout_s=0.05)


def test_the_server_survives_a_lack_of_file_descriptors(path: Path):
    asked, go, failed = threading.Event(), threading.Event(), threading.Event()

    class LogWatcher(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            failed.set()

    def hold(_: Mapping[str, Any]) -> object:
        asked.set()
        return go.wait(30)

    watcher, logger = LogWatcher(), logging.getLogger("sync.control")
    logger.addHandler(watcher)
    running = ControlServer(path, lambda _: {"hold": hold, "echo": echo})
    running.start()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    holding, silent, waiting = (socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(3))
    try:
        holding.connect(str(path))
        holding.sendall(b'{"op": "hold"}\n')
        assert asked.wait(30)
        # No descriptor is left below the limit: accept() fails once the silent client holds the last one.
        lowest_free = os.dup(0)
        os.close(lowest_free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
        silent.connect(str(path))
        waiting.settimeout(30)
        waiting.connect(str(path))
        waiting.sendall(b'{"op": "echo", "after": "that"}\n')
        answered = failed.wait(30)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert answered
        with waiting.makefile("rb") as stream:
            assert json.loads(stream.readline()) == {"result": {"after": "that"}}
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        go.set()
        for connection in (holding, silent, waiting):
            connection.close()
        running.stop()
        logger.removeHandler(watcher)


def test_a_reset_connection_ends_only_itself(server: ControlServer, path: Path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.connect(str(path))
        connection.sendall(b'{"op": "ec')
    assert ask(path, "echo") == {}
