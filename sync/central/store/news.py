"""News of committed changes. The writer announces them after the commit, and never waits for a listener.

Within one process these are lists of functions. With PostgreSQL a thread that listens to the database hands the news of
the other services to `announce` too.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec

CASES = "cases"  # the topic of all cases


class PatientChanged(msgspec.Struct, frozen=True):
    """A patient's state changed: its change number, and the action behind the change where there was one.

    `state` is the state after it as the role `seen_by` sees it, where the change has made it anyway.
    """

    number: int
    patient_id: str
    action: str | None = None
    action_id: str | None = None
    state: object = None
    seen_by: str = ""

    @property
    def topic(self) -> str:
        """The patient's id."""
        return self.patient_id


class TokenRevoked(msgspec.Struct, frozen=True):
    """A token, or a session of one, is no longer valid."""

    token_hash: str
    number: int = 0

    @property
    def topic(self) -> str:
        """The hash of the token or of the session."""
        return self.token_hash


class VerdictRevised(msgspec.Struct, frozen=True):
    """A verdict was revised. It has no listeners of its own, and wakes the pulls that wait."""

    number: int
    topic: str = ""


class BlockChanged(msgspec.Struct, frozen=True):
    """A card was blocked or unblocked. It has no listeners of its own, and wakes the pulls that wait."""

    number: int
    topic: str = ""


class CardKeyPublished(msgspec.Struct, frozen=True):
    """Kiosks get a new card key. It has no listeners of its own, and wakes the pulls that wait."""

    number: int
    topic: str = ""


class KiosksToTell(msgspec.Struct, frozen=True):
    """Kiosks are to hear at once of a setting of the site, or that a newer token is due.

    It has no listeners of its own, and wakes the pulls that wait.
    """

    number: int
    topic: str = ""


class TimeConfirmed(msgspec.Struct, frozen=True):
    """A person has confirmed the clock of the host that the topic names."""

    number: int
    topic: str = ""


class CommonChanged(msgspec.Struct, frozen=True):
    """What services keep in memory was changed. It has no listeners of its own."""

    number: int = 0
    topic: str = ""


class CaseChanged(msgspec.Struct, frozen=True):
    """A case came to the inbox, was settled or has changed, or somebody has opened or left it."""

    exception_id: str
    number: int = 0

    @property
    def topic(self) -> str:
        """One for all cases."""
        return CASES


class Missed(msgspec.Struct, frozen=True):
    """News may have been missed: everything up to a change number may have changed for the listener of the topic."""

    number: int
    topic: str = ""


NewsItem = (
    PatientChanged
    | TokenRevoked
    | VerdictRevised
    | BlockChanged
    | CardKeyPublished
    | KiosksToTell
    | TimeConfirmed
    | CommonChanged
    | CaseChanged
    | Missed
)
Listener = Callable[[NewsItem], None]


@dataclass(frozen=True, slots=True)
class Follower:
    """Hears that something has changed, and of the end."""

    hear: Callable[[], None]
    end: Callable[[], None]


class News:
    """Passes changes to their listeners, and says to all who follow that something has changed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latest = 0
        self._listeners: dict[str, list[Listener]] = {}
        self._followers: tuple[Follower, ...] = ()

    @property
    def latest(self) -> int:
        """The highest change number that was announced; 0 before the first. Earlier processes do not count."""
        return self._latest

    def announce(self, items: Sequence[NewsItem]) -> None:
        """Passes the items to their listeners. Listeners run in this thread, so they must not block."""
        with self._lock:
            calls = [(listener, item) for item in items for listener in self._listeners.get(item.topic, ())]
            self._latest = max(self._latest, *(item.number for item in items))
            followers = self._followers
        for listener, item in calls:
            listener(item)
        for follower in followers:
            follower.hear()

    def announce_missed(self, number: int) -> None:
        """Tells every listener that anything up to a change number may have changed."""
        with self._lock:
            topics = list(self._listeners)
        self.announce([Missed(number, topic) for topic in topics] or [Missed(number)])

    @contextmanager
    def listen(self, topic: str, listener: Listener) -> Iterator[None]:
        """Calls `listener` with each item on the topic (a patient's id, a token's hash) while the context is open."""
        with self._lock:
            self._listeners.setdefault(topic, []).append(listener)
        try:
            yield
        finally:
            with self._lock:
                remaining = self._listeners[topic]
                remaining.remove(listener)
                if not remaining:
                    del self._listeners[topic]

    def follow(self, hear: Callable[[], None], end: Callable[[], None]) -> None:
        """Calls `hear` after each announcement from now on, and `end` when the service stops. Neither may block."""
        with self._lock:
            self._followers = (*self._followers, Follower(hear, end))

    def close(self) -> None:
        """Tells all who follow that the service stops."""
        with self._lock:
            followers = self._followers
        for follower in followers:
            follower.end()
