"""HTTP to the centre with typed outcomes: an answer, a refusal of the protocol, or no answer. No call raises."""

import base64
import hashlib
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import msgspec
import requests
import urllib3

from sync.agent.answers import MAX_ANSWER, Received, TooLarge, altered, of_failure, of_garbage, plain_body
from sync.agent.cancellable import CancellableAdapter
from sync.agent.route import Route
from sync.agent.route_faults import describe
from sync.protocol import (
    CallRefused,
    DeskCardAnswer,
    DeskCardRequest,
    EndCode,
    Enrolment,
    EnrolRequest,
    LookupAnswer,
    LookupRequest,
    PullAnswer,
    PullRequest,
    PushAnswer,
    PushRequest,
    Sealed,
    TokenAnswer,
    TokenRequest,
)

T = TypeVar("T")

CONNECT_S = 3.05
READ_S = 10.0
CHUNK = 64 * 1024
_NOT_ENDED = "not_ended: the answer ends another token than this kiosk's: a proxy may mix up answers"
_OF_A_TOKEN = frozenset({EndCode.NOT_KNOWN, EndCode.REPLACED})
_TOO_SLOW = "too_slow: no whole answer came in time"


LOOKUP_PATH, ENROL_PATH = "/api/v1/sync/lookup", "/api/v1/kiosks/enroll"
DESK_CARD_PATH = "/api/v1/sync/card"
RENEWAL_PATH = "/api/v1/kiosks/token"


@dataclass(frozen=True, slots=True)
class Accepted(Generic[T]):
    """The centre's answer, in the form that the protocol names."""

    answer: T


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """No usable answer: no connection, a time-out, a broken server or garbage. The centre may have committed all the
    same. `reason` is a code and a sentence of `sync.agent.answers`."""

    reason: str
    retry_after_s: float | None = None
    status: int | None = field(default=None, compare=False)  # the HTTP status, where an answer came


def _nobody_waits() -> None:
    """For a call whose caller does nothing before its answer."""


class CentralClient:
    """Calls the centre over one connection, which stays open. Each thread needs a client of its own."""

    def __init__(self, url: str, token: str = "", deadline_s: float = READ_S, route: Route | None = None) -> None:
        """`deadline_s` is the time for a whole call, up to the last byte of the answer.

        Without a `route` the system's store of certificates is trusted, and no proxy is used.
        """
        self._url = url.rstrip("/")
        self._deadline_s = deadline_s
        self._route = route or Route()
        self._adapter = CancellableAdapter(self._route)
        self._session = requests.Session()
        self._session.mount("http://", self._adapter)
        self._session.mount("https://", self._adapter)
        self._session.trust_env = False  # no proxy of the environment sees a patient's data
        if self._route.proxy:
            self._session.proxies = {"http": self._route.proxy, "https": self._route.proxy}
        self._session.headers["Content-Type"] = "application/json"
        # A compressed answer could be small on the wire and huge in memory.
        self._session.headers["Accept-Encoding"] = "identity"
        self._token_sha256 = hashlib.sha256(token.encode()).hexdigest() if token else None
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"

    def push(
        self, request: PushRequest, has_left: Callable[[], None] = _nobody_waits
    ) -> Accepted[PushAnswer] | CallRefused | NoAnswer:
        """Sends a batch of actions. Calls `has_left` once the request is on the way."""
        return self._call("/api/v1/sync/push", request, PushAnswer, has_left=has_left)

    def pull(self, request: PullRequest) -> Accepted[PullAnswer] | CallRefused | NoAnswer:
        """Asks for news. The centre may hold the call for `wait_s` seconds."""
        return self._call("/api/v1/sync/pull", request, PullAnswer, request.wait_s)

    def look_up(self, request: LookupRequest) -> Accepted[LookupAnswer] | CallRefused | NoAnswer:
        """Asks who holds a card."""
        return self._call(LOOKUP_PATH, request, LookupAnswer)

    def tell_desk_card(self, request: DeskCardRequest) -> Accepted[DeskCardAnswer] | CallRefused | NoAnswer:
        """Tells a word about a card for the desk."""
        return self._call(DESK_CARD_PATH, request, DeskCardAnswer)

    def enrol(self, request: EnrolRequest) -> Accepted[Enrolment] | CallRefused | NoAnswer:
        """Exchanges a one-use code for an identity."""
        return self._call(ENROL_PATH, request, Enrolment)

    def renew_token(self, request: TokenRequest) -> Accepted[TokenAnswer] | CallRefused | NoAnswer:
        """Asks for a newer token than the one of this client."""
        return self._call(RENEWAL_PATH, request, TokenAnswer)

    @property
    def token_sha256(self) -> str | None:
        """The SHA-256 (hex) of the token that this client sends; None where it sends none."""
        return self._token_sha256

    def close(self) -> None:
        """Closes the connection."""
        self._session.close()

    def abort(self) -> None:
        """Cancels the present call and every later one. Of all the methods, other threads may call this one alone."""
        self._adapter.cancel_all()

    def _call(
        self,
        path: str,
        message: object,
        answer_type: type[T],
        wait_s: float = 0.0,
        has_left: Callable[[], None] = _nobody_waits,
    ) -> Accepted[T] | CallRefused | NoAnswer:
        try:
            received = self._post(path, msgspec.json.encode(message), self._deadline_s + wait_s, has_left)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            if self._adapter.was_cancelled:
                return NoAnswer(_TOO_SLOW)
            # A call that is cancelled for good looks like one that was cut off, and nobody waits for the reason.
            said = "" if self._adapter.is_cancelled else describe(error, self._url, self._route)
            return NoAnswer(said or of_failure(error))
        except TooLarge as error:
            return NoAnswer(of_garbage(Received(200, b""), error))
        if reason := altered(received):
            return NoAnswer(reason, received.retry_after_s, received.status)
        try:
            body = plain_body(received)
            if received.status == 200:
                return Accepted(msgspec.json.decode(_unsealed(body), type=answer_type))
            refused = msgspec.json.decode(body, type=CallRefused)
        except (ValueError, RecursionError, EOFError, zlib.error) as error:
            return NoAnswer(of_garbage(received, error), received.retry_after_s, received.status)
        if refused.code is EndCode.ENDED and refused.token_sha256 != self._token_sha256:
            # No middlebox knows the hash of the token, so only the centre can end this kiosk.
            return NoAnswer(_NOT_ENDED, status=received.status)
        if refused.code in _OF_A_TOKEN and refused.token_sha256 != self._token_sha256:
            # The centre got another token: to this kiosk, its own did not arrive.
            refused = msgspec.structs.replace(refused, code=EndCode.NOT_KNOWN, token_sha256=None)
        if refused.retry_after_s is None:
            return msgspec.structs.replace(refused, retry_after_s=received.retry_after_s)
        return refused

    def _post(self, path: str, body: bytes, deadline_s: float, has_left: Callable[[], None]) -> Received:
        """Posts a body and returns the whole answer. Raises TooLarge, and the errors of requests and of sockets."""
        with (
            self._deadline(deadline_s, has_left),
            self._session.post(
                self._url + path, data=body, timeout=(CONNECT_S, deadline_s), stream=True, allow_redirects=False
            ) as response,
        ):
            received = bytearray()
            for chunk in response.raw.stream(CHUNK, decode_content=False):
                received += chunk
                if len(received) > MAX_ANSWER:
                    raise TooLarge
            headers = response.headers
            return Received(
                response.status_code,
                bytes(received),
                content_type=headers.get("Content-Type", ""),
                encoding=headers.get("Content-Encoding", ""),
                location=headers.get("Location", ""),
                retry_after_s=_seconds(headers.get("Retry-After")),
            )

    @contextmanager
    def _deadline(self, deadline_s: float, has_left: Callable[[], None]) -> Iterator[None]:
        """Cancels the call after `deadline_s`. The socket's own limit is for each read: an answer that comes byte by
        byte would never exceed it."""
        call = self._adapter.begin(has_left)
        timer = threading.Timer(deadline_s, self._adapter.cancel, (call,))
        timer.name, timer.daemon = "sync deadline", True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


def _unsealed(body: bytes) -> bytes:
    """The answer in a body that may be sealed. Raises ValueError where it is none of the protocol."""
    sealed = msgspec.json.decode(body, type=Sealed).sealed
    return body if sealed is None else base64.b64decode(sealed, validate=True)


def _seconds(header: str | None) -> float | None:
    """A Retry-After header in seconds (RFC 9110, 10.2.3). A date counts as none: this machine's clock may be wrong."""
    return float(header) if header and header.isascii() and header.isdigit() and len(header) < 6 else None
