"""HTTP to the centre as typed outcomes: an answer, a typed refusal, or no use. Nothing else ever comes out of here."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import msgspec
import requests
import urllib3

from sync.agent.cancellable import CancellableAdapter
from sync.protocol import CallRefused, Enrolment, EnrolRequest, PullAnswer, PullRequest, PushAnswer, PushRequest

T = TypeVar("T")

CONNECT_S = 3.05
READ_S = 10.0
MAX_ANSWER = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Accepted(Generic[T]):
    """The centre answered, and the answer is of the form that the protocol names."""

    answer: T


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """No answer that can be used: no connection, time ran out, a broken server, garbage. Nothing may be concluded
    from it, least of all that the centre did not commit."""

    reason: str
    retry_after_s: float | None = None
    status: int | None = field(default=None, compare=False)  # of HTTP, where an answer came


class CentralClient:
    """Calls the centre. One per thread: the connection underneath is kept open and is not shared."""

    def __init__(self, url: str, token: str = "", deadline_s: float = READ_S) -> None:
        """`deadline_s` is for a whole answer, from the call to its last byte."""
        self._url = url.rstrip("/")
        self._deadline_s = deadline_s
        self._adapter = CancellableAdapter()
        self._session = requests.Session()
        self._session.mount("http://", self._adapter)
        self._session.mount("https://", self._adapter)
        self._session.trust_env = False  # a proxy variable of the environment is no place for a patient's data
        self._session.headers["Content-Type"] = "application/json"
        # A compressed answer could be small on the wire and endless in memory.
        self._session.headers["Accept-Encoding"] = "identity"
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"

    def push(self, request: PushRequest) -> Accepted[PushAnswer] | CallRefused | NoAnswer:
        """Sends a batch of actions."""
        return self._call("/api/v1/sync/push", request, PushAnswer)

    def pull(self, request: PullRequest) -> Accepted[PullAnswer] | CallRefused | NoAnswer:
        """Asks for news; the centre may hold the call for `wait_s`."""
        return self._call("/api/v1/sync/pull", request, PullAnswer, request.wait_s)

    def enrol(self, request: EnrolRequest) -> Accepted[Enrolment] | CallRefused | NoAnswer:
        """Turns a one-use code into an identity."""
        return self._call("/api/v1/kiosks/enroll", request, Enrolment)

    def close(self) -> None:
        """Closes the connection."""
        self._session.close()

    def abort(self) -> None:
        """Cuts a call that is under way, and every later one. The only method that any thread may call."""
        self._adapter.cut_for_good()

    def _call(
        self, path: str, message: object, answer_type: type[T], wait_s: float = 0.0
    ) -> Accepted[T] | CallRefused | NoAnswer:
        try:
            status, body, retry_after_s = self._post(path, msgspec.json.encode(message), self._deadline_s + wait_s)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            # Their messages hold addresses and object reprs; the kind of the error says enough.
            return NoAnswer(type(error).__name__)
        try:
            if status == 200:
                return Accepted(msgspec.json.decode(body, type=answer_type))
            refused = msgspec.json.decode(body, type=CallRefused)
        except (ValueError, RecursionError):
            return NoAnswer(f"HTTP {status} with a body that is not of the protocol", retry_after_s, status)
        if refused.retry_after_s is None:
            return msgspec.structs.replace(refused, retry_after_s=retry_after_s)
        return refused

    def _post(self, path: str, body: bytes, deadline_s: float) -> tuple[int, bytes, float | None]:
        """Status, body and Retry-After."""
        with (
            self._cut_after(deadline_s),
            self._session.post(
                self._url + path, data=body, timeout=(CONNECT_S, deadline_s), stream=True, allow_redirects=False
            ) as response,
        ):
            received = bytearray()
            for chunk in response.raw.stream(64 * 1024, decode_content=False):
                received += chunk
                if len(received) > MAX_ANSWER:
                    raise requests.exceptions.ContentDecodingError
            return response.status_code, bytes(received), _seconds(response.headers.get("Retry-After"))

    @contextmanager
    def _cut_after(self, deadline_s: float) -> Iterator[None]:
        """A time limit of the socket is one for each read: an answer that trickles in would never meet it."""
        call = self._adapter.begin()
        watch = threading.Timer(deadline_s, self._adapter.cut, (call,))
        watch.name, watch.daemon = "sync deadline", True
        watch.start()
        try:
            yield
        finally:
            watch.cancel()


def _seconds(header: str | None) -> float | None:
    """Retry-After in seconds (RFC 9110, 10.2.3); a date is left alone, since the clock here may be wrong."""
    return float(header) if header and header.isascii() and header.isdigit() and len(header) < 6 else None
