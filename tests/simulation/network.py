"""The network between one kiosk and the centre. On demand it loses, doubles, delays, holds, cuts and garbles."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec
import requests

from sync.agent.answers import Received
from sync.agent.cancellable import CancellableAdapter
from sync.agent.client import CentralClient
from sync.agent.route import Route
from sync.protocol import PushRequest
from tests.simulation.centre import Centre
from tests.simulation.crashes import Crash


class Trouble(StrEnum):
    """The fault of the next call."""

    REQUEST_LOST = "request lost"
    REPLY_LOST = "reply lost"
    DOUBLED = "delivered twice"
    DELAYED = "request delayed"  # the kiosk gives up; the request arrives later, after newer ones
    HELD = "reply held"  # the kiosk gives up; the reply arrives later, as the answer to another call
    GARBLED = "reply garbled"


@dataclass(frozen=True, slots=True)
class Disliked:
    """A patient whose actions a firewall lets pass in no form, up to an event. With `answers`, it drops the answer."""

    patient_id: str
    until: int
    answers: bool

    def strikes(self, path: str, body: bytes) -> bool:
        """Whether the firewall strikes a call."""
        if not path.endswith("/push"):
            return False
        push = msgspec.json.decode(body, type=PushRequest)
        sent = [*push.actions, *([push.trial] if push.trial else [])]
        name = f'"patient_id":"{self.patient_id}"'.encode()
        return any(name in (base64.b64decode(each.opaque.body) if each.opaque else bytes(each.body)) for each in sent)


@dataclass(slots=True)
class Link:
    """The connection of a kiosk with the centre. `cut_until` and `half_open_until` are numbers of events."""

    centre: Centre
    kiosk_id: str
    event: int = 0
    trouble: Trouble | None = None
    cut_until: int = 0
    half_open_until: int = 0
    delayed: list[tuple[int, str, bytes]] = field(default_factory=list)
    held: list[tuple[str, int, bytes]] = field(default_factory=list)
    late: bool = False  # the next call gets a reply that was held
    meanwhile: Callable[[], None] | None = None  # runs while the next reply is under way
    versions_at_reply: dict[str, int] = field(default_factory=dict)  # the kiosk's, when the reply arrived
    was_reset: bool = False  # a page with a reset came
    disliked: Disliked | None = None

    def call(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Makes one call. Raises requests.ConnectionError or requests.Timeout where no answer arrives."""
        if self.event < self.cut_until:
            raise requests.ConnectionError
        disliked = self.disliked if self.disliked and self.event < self.disliked.until else None
        refused = disliked is not None and disliked.strikes(path, body)
        if refused and disliked and not disliked.answers:
            raise requests.ConnectionError
        trouble, self.trouble = self.trouble, None
        if trouble is Trouble.REQUEST_LOST:
            raise requests.ConnectTimeout
        if trouble is Trouble.DELAYED:
            self.delayed.append((self.event + 1 + len(body) % 7, path, body))
            raise requests.ReadTimeout
        status, answer = self._deliver(path, body)
        if trouble is Trouble.DOUBLED:
            status, answer = self._deliver(path, body)
        self._let_happen()
        if refused:
            raise requests.ReadTimeout
        return self._reply(trouble, path, status, answer)

    def deliver_delayed(self, *, everything: bool = False) -> int:
        """Delivers the requests that are due, and drops the answers. Returns the number of requests."""
        due = [each for each in self.delayed if everything or each[0] <= self.event]
        self.delayed = [each for each in self.delayed if each not in due]
        for _, path, body in due:
            self._attempt(path, body)
        return len(due)

    def heal(self) -> None:
        """Ends all faults."""
        self.trouble = self.meanwhile = self.disliked = None
        self.cut_until = self.half_open_until = 0
        self.held, self.late = [], False

    def _deliver(self, path: str, body: bytes) -> tuple[int, bytes]:
        answer = self._attempt(path, body)
        if answer is None:
            raise requests.ConnectionError
        return answer

    def _attempt(self, path: str, body: bytes) -> tuple[int, bytes] | None:
        """The centre's answer; None where the centre died and was started again."""
        try:
            return self.centre.handle(self.kiosk_id, path, body)
        except Crash:
            self.centre.reopen()
            return None

    def _let_happen(self) -> None:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()

    def _reply(self, trouble: Trouble | None, path: str, status: int, answer: bytes) -> tuple[int, bytes]:
        if trouble is Trouble.HELD:
            self.held.append((path, status, answer))
        if trouble in (Trouble.HELD, Trouble.REPLY_LOST) or self.event < self.half_open_until:
            raise requests.ReadTimeout
        if trouble is Trouble.GARBLED:
            return status, answer[: len(answer) // 2]
        reply = self._take_held(path) or (status, answer)
        self.was_reset |= b'"reset":true' in reply[1]
        return reply

    def _take_held(self, path: str) -> tuple[int, bytes] | None:
        held = next((each for each in self.held if each[0] == path), None) if self.late else None
        if held is None:
            return None
        self.held.remove(held)
        self.late = False
        return held[1:]


class SimulatedClient(CentralClient):
    """The product's client over a simulated link. Only the transport is simulated."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._url, self._route = "", Route()
        self._deadline_s = 10.0
        self._adapter = CancellableAdapter()
        self._token_sha256 = None

    def close(self) -> None:
        """Does nothing: there is no connection."""

    def _post(self, path: str, body: bytes, deadline_s: float, has_left: Callable[[], None]) -> Received:
        return Received(*self._link.call(path, body))
