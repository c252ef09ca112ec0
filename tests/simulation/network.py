"""The network between one kiosk and the centre: it loses, doubles, delays, holds back, cuts and garbles, as told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

import requests

from sync.agent.client import CentralClient
from tests.simulation.centre import Centre
from tests.simulation.crashes import Crash


class Trouble(StrEnum):
    """What befalls the next call."""

    REQUEST_LOST = "request lost"
    REPLY_LOST = "reply lost"
    DOUBLED = "delivered twice"
    DELAYED = "request delayed"  # the kiosk gives up; the request comes in later, after newer ones
    HELD = "reply held"  # the kiosk gives up; the reply is kept, to come as the answer to a later call
    GARBLED = "reply garbled"


@dataclass(slots=True)
class Link:
    """A kiosk's way to the centre. `cut_until` and `half_open_until` are numbers of events."""

    centre: Centre
    kiosk_id: str
    event: int = 0
    trouble: Trouble | None = None
    cut_until: int = 0
    half_open_until: int = 0
    delayed: list[tuple[int, str, bytes]] = field(default_factory=list)
    held: list[tuple[str, int, bytes]] = field(default_factory=list)
    late: bool = False  # the next call gets a reply that was held
    meanwhile: Callable[[], None] | None = None  # while the next reply travels, this happens
    told: dict[str, int] = field(default_factory=dict)  # the versions that the kiosk held when the reply came in
    afresh: bool = False  # a page came that starts the roster afresh

    def call(self, path: str, body: bytes) -> tuple[int, bytes]:
        """One call. Raises requests.ConnectionError or requests.Timeout where no answer comes back."""
        if self.event < self.cut_until:
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
        return self._reply(trouble, path, status, answer)

    def deliver_delayed(self, *, everything: bool = False) -> int:
        """Delivers the requests that are due; nobody waits for their answers. Returns how many that were."""
        due = [each for each in self.delayed if everything or each[0] <= self.event]
        self.delayed = [each for each in self.delayed if each not in due]
        for _, path, body in due:
            self._attempt(path, body)
        return len(due)

    def heal(self) -> None:
        """Everything works from now on."""
        self.trouble = self.meanwhile = None
        self.cut_until = self.half_open_until = 0
        self.held, self.late = [], False

    def _deliver(self, path: str, body: bytes) -> tuple[int, bytes]:
        answer = self._attempt(path, body)
        if answer is None:
            raise requests.ConnectionError
        return answer

    def _attempt(self, path: str, body: bytes) -> tuple[int, bytes] | None:
        """The centre's answer; None where it died over it, and was started again."""
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
        of_old = self._held_before(path) or (status, answer)
        self.afresh |= b'"reset":true' in of_old[1]
        return of_old

    def _held_before(self, path: str) -> tuple[int, bytes] | None:
        of_old = next((each for each in self.held if each[0] == path), None) if self.late else None
        if of_old is None:
            return None
        self.held.remove(of_old)
        self.late = False
        return of_old[1:]


class SimulatedClient(CentralClient):
    """The product's client over a simulated link: what it makes of an answer, or of none, is its own."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._deadline_s = 10.0

    def _post(self, path: str, body: bytes, deadline_s: float) -> tuple[int, bytes, float | None]:
        return *self._link.call(path, body), None
