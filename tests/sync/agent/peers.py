"""Good and bad servers on real sockets, for the kiosk's agent."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from sync.protocol import (
    SUPPORTED_VERSIONS,
    CallRefused,
    Code,
    EndCode,
    Intent,
    PullAnswer,
    PullRequest,
    PushAnswer,
    PushRequest,
    Verdict,
    VerdictRow,
)
from tests.kiosk.samples import SITE_ID

WAIT_S = 30.0  # the longest wait for any event; every event of a good run comes earlier


@dataclass(frozen=True)
class Request:
    """One HTTP request, as received."""

    path: str
    headers: dict[str, str]
    body: bytes


Script = Callable[[socket.socket, Request], object]


class RawPeer:
    """Reads whole requests and lets a script write anything to the socket. A script that returns True keeps the
    connection open for the next request."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.requests: list[Request] = []
        self.connections = 0
        self.asked = threading.Semaphore(0)
        self.closed = threading.Semaphore(0)
        self.over = threading.Event()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_for_request(self) -> None:
        """Returns when one more request has come."""
        assert self.asked.acquire(timeout=WAIT_S)

    def wait_for_close(self) -> None:
        """Returns when this end has closed one more connection."""
        assert self.closed.acquire(timeout=WAIT_S)

    def __enter__(self) -> RawPeer:
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join(WAIT_S)  # no further connection is accepted after this
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(WAIT_S)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while (request := _read(connection)) is not None:
                self.requests.append(request)
                self.asked.release()
                if self.script(connection, request) is not True:
                    break
        self.closed.release()


def _read(connection: socket.socket) -> Request | None:
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = connection.recv(65_536)
        if not chunk:
            return None
        received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    line, *fields = head.decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
    while len(body) < int(headers.get("content-length", 0)):
        chunk = connection.recv(65_536)
        if not chunk:
            return None
        body += chunk
    return Request(line.split()[1], headers, body)


def http(status: str, body: bytes = b"", **headers: str) -> bytes:
    """A whole HTTP/1.1 answer."""
    fields = {"Content-Length": str(len(body)), "Content-Type": "application/json"}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body


def sending(answer: bytes, *, keep: bool = False) -> Script:
    """A script that answers with `answer`."""

    def script(connection: socket.socket, _: Request) -> object:
        connection.sendall(answer)
        return keep

    return script


Answer = object | tuple[int, object] | bytes


class Centre:
    """A small centre: it speaks the protocol in `versions`, applies every action, and answers as a test wishes.

    `on_push` and `on_pull` return a message, `(status, message)`, raw bytes of a whole HTTP answer, or None for the
    default. They run in the server's threads.
    """

    def __init__(self) -> None:
        self.pushes: list[PushRequest] = []
        self.pulls: list[PullRequest] = []
        self.kept: list[Intent] = []
        self.site_id, self.incarnation = SITE_ID, "one"
        self.versions = tuple(SUPPORTED_VERSIONS)
        self.backed_up_seq = 0
        self.on_push: Callable[[PushRequest], Answer | None] = lambda _: None
        self.on_pull: Callable[[PullRequest], Answer | None] = lambda _: None
        self.page: Callable[[PullRequest], PullAnswer]
        self._peer = RawPeer(self._answer)
        self.url = self._peer.url

    def __enter__(self) -> Centre:
        return self

    def __exit__(self, *_: object) -> None:
        self._peer.__exit__()

    def wait_for_request(self) -> None:
        """Returns when one more request has come."""
        self._peer.wait_for_request()

    @property
    def over(self) -> threading.Event:
        """Set when the centre goes away."""
        return self._peer.over

    def accept(self, request: PushRequest) -> PushAnswer:
        """Applies every action of a push."""
        verdicts = []
        for pushed in request.actions:
            intent = msgspec.json.decode(pushed.body, type=Intent)
            if all(intent.action_id != known.action_id for known in self.kept):
                self.kept.append(intent)
            verdicts.append(
                VerdictRow(
                    action_id=intent.action_id,
                    seq=intent.seq,
                    verdict=Verdict.APPLIED,
                    code=Code.OK,
                    patient_id=intent.patient_id,
                )
            )
        last_seq = max((verdict.seq for verdict in verdicts), default=0)
        return PushAnswer(
            site_id=self.site_id,
            server_incarnation=self.incarnation,
            last_seq=last_seq,
            backed_up_seq=self.backed_up_seq,
            verdicts=verdicts,
            versions=self.versions,
        )

    def _answer(self, connection: socket.socket, request: Request) -> object:
        if request.path.endswith("/push"):
            push = msgspec.json.decode(request.body, type=PushRequest)
            self.pushes.append(push)
            answer = self._version_refused(push) or self.on_push(push)
            answer = self.accept(push) if answer is None else answer
        else:
            pull = msgspec.json.decode(request.body, type=PullRequest)
            self.pulls.append(pull)
            answer = self._version_refused(pull) or self.on_pull(pull)
            answer = self.page(pull) if answer is None else answer
        if isinstance(answer, bytes):
            connection.sendall(answer)
            return False
        status, message = answer if isinstance(answer, tuple) else (200, answer)
        connection.sendall(http(f"{status} X", msgspec.json.encode(message)))
        return True

    def _version_refused(self, request: PushRequest | PullRequest) -> Answer | None:
        if request.protocol_version in self.versions:
            return None
        return refusal(EndCode.UNSUPPORTED_VERSION, 400, versions=self.versions)


def refusal(code: Any, status: int = 409, **fields: Any) -> tuple[int, CallRefused]:
    """A typed refusal of the kiosk's own site, with its HTTP status."""
    return status, CallRefused(code=code, error="no", **{"site_id": SITE_ID} | fields)


def ended(**fields: Any) -> tuple[int, CallRefused]:
    """The centre's word that the token of these tests, "token", was revoked."""
    return refusal(EndCode.ENDED, 401, **{"token_sha256": hashlib.sha256(b"token").hexdigest()} | fields)


@contextlib.contextmanager
def nobody() -> Iterator[str]:
    """The URL of a port without a listener."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"
