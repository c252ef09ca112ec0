"""Pulls that wait for news, one a kiosk, and the one thread that has them answered in sets.

News is gathered: each kiosk that is told comes back at once, so the pace of the sets bounds what all of them cost.
"""

import logging
import math
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sync.central.kiosks.answering import Answered, Asked
from sync.central.store.news import News

log = logging.getLogger(__name__)

GATHER_S = 0.05  # after the first news: what belongs together is committed by then, and its senders have their answers
# A set itself takes longer than these pauses: 50 kiosks have a change within half a second, 200 within a second.
_LEAST_PAUSE_S = 0.28
_PAUSE_A_KIOSK_S = 0.0004
_KIOSKS_A_SECOND = 500  # that are told and come back, so that they leave others room
_LONGEST_INTERVAL_S = 10.0
_IDLE_S = 1.0  # the thread ends where no call has waited for so long
_ARRIVAL_S = 0.01  # after the first call of a set that comes: after a change kiosks come together
_RECEIVED_AT_ONCE = 32  # they take a millisecond of the interpreter, and those who act have their turn after it

Reply = Callable[[Answered | Exception], None]


@dataclass(frozen=True, slots=True, eq=False)
class WaitingCall:
    """A pull that waits.

    `until_s` is the end of its wait on the monotonic clock. `retry_after_s` goes into its answer, where it was not
    allowed to wait.
    """

    asked: Asked
    until_s: float
    reply: Reply
    retry_after_s: float | None = None

    @property
    def cursor(self) -> int:
        """The change that its kiosk has."""
        return self.asked.request.cursor


Work = Callable[[Sequence[WaitingCall]], None]


@dataclass(frozen=True, slots=True)
class LastSet:
    """The last set that told news: its number of kiosks, and its times on the monotonic clock (s)."""

    kiosks: int = 0
    began_s: float = -math.inf
    ended_s: float = -math.inf

    def next_s(self, waiting: int) -> float:
        """When the next set may begin, for a number of kiosks that wait. Those that were told come back."""
        kiosks = max(self.kiosks, waiting)
        pause_s = _LEAST_PAUSE_S + _PAUSE_A_KIOSK_S * kiosks
        return max(self.ended_s + pause_s, self.began_s + interval_s(kiosks))


def interval_s(kiosks: int) -> float:
    """Seconds from one set to the next, at least: two for 1,000 kiosks."""
    return min(kiosks / _KIOSKS_A_SECOND, _LONGEST_INTERVAL_S)


class WaitingRoom:
    """The calls that wait, and the thread that looks after them. It lives while there are calls."""

    def __init__(self, receive: Work, answer: Work, news: News, most: int) -> None:
        """`receive` gets a set of calls that have come: each is answered, hurried or admitted. `answer` answers a set.

        Both run in the room's own thread, and raise nothing. `most` is the number of calls that may wait.
        """
        self._receive = receive
        self._answer = answer
        self._most = most
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._come: list[WaitingCall] = []
        self._come_since_s = math.inf
        self._waiting: dict[str, WaitingCall] = {}
        self._due: list[WaitingCall] = []
        self._news = news
        self._seen = 0  # the last change that a call has met
        self._news_since_s = math.inf  # when the first news came that no set has told yet
        self._last_set = LastSet()
        self._wakes_at_s = math.inf  # when the thread goes on by itself
        self._thread: threading.Thread | None = None
        news.follow(self._hear, self.close)

    def enter(self, call: WaitingCall) -> None:
        """Takes a call that has just come."""
        with self._changed:
            self._come.append(call)
            self._come_since_s = min(self._come_since_s, time.monotonic())
            self._wake()

    def admit(self, call: WaitingCall, latest: int) -> bool:
        """Lets a call wait for a change above its cursor. False where the room is full, or closed.

        `latest` is the last change that the call has met. An earlier call of the kiosk is answered now.
        """
        with self._changed:
            earlier = self._waiting.pop(call.asked.kiosk_id, None)
            if earlier is not None:
                self._due.append(earlier)
            if self._closing.is_set() or len(self._waiting) >= self._most:
                return False
            self._waiting[call.asked.kiosk_id] = call
            self._seen = max(self._seen, latest)
            if call.cursor < self._latest:
                self._news_since_s = min(self._news_since_s, time.monotonic())
            return True

    def hurry(self, call: WaitingCall) -> None:
        """Has a call answered now."""
        with self._changed:
            self._due.append(call)

    def leave(self, call: WaitingCall) -> None:
        """Drops a call whose client has left."""
        with self._changed:
            if self._waiting.get(call.asked.kiosk_id) is call:
                del self._waiting[call.asked.kiosk_id]
            elif call in self._come:
                self._come.remove(call)

    def close(self) -> None:
        """Has all calls answered. Later ones do not wait."""
        with self._changed:
            self._closing.set()
            self._wake()

    def rest(self, seconds: float) -> None:
        """Lets others work between two parts of a set. Returns at once where the room closes."""
        self._closing.wait(seconds)

    @property
    def _latest(self) -> int:
        return max(self._seen, self._news.latest)

    def _hear(self) -> None:
        """Notes a change. Called by the thread that has committed it, so it does nothing more."""
        with self._changed:
            if self._waiting:
                self._news_since_s = min(self._news_since_s, time.monotonic())
                self._wake()

    def _wake(self) -> None:
        """Wakes the thread where it has something to do earlier than it knows. The caller holds the lock."""
        if self._thread is None and self._come:
            self._thread = threading.Thread(target=self._run, name="pulls", daemon=True)
            self._thread.start()
        elif self._next_s() < self._wakes_at_s:
            self._changed.notify()

    def _run(self) -> None:
        while work := self._wait_for_work():
            began_s = time.monotonic()
            try:
                work.begin()
            except sqlite3.OperationalError as error:
                log.warning("pulls met a busy or failing database: %s", error)
            except Exception:
                log.exception("pulls were not answered")
            if work.tells_news:
                self._last_set = LastSet(len(work.calls), began_s, time.monotonic())

    def _wait_for_work(self) -> "_Work | None":
        """The next set of calls, as soon as there is one; None where the thread has nothing to do any more."""
        with self._changed:
            idle_until_s = time.monotonic() + _IDLE_S
            while True:
                now_s = time.monotonic()
                if work := self._take_come(now_s) or self._take_due(now_s):
                    self._wakes_at_s = -math.inf  # it is awake, and looks again before it sleeps
                    return work
                is_empty = not (self._waiting or self._come)
                if is_empty and (self._closing.is_set() or now_s >= idle_until_s):
                    self._thread = None
                    return None
                self._wakes_at_s = min(self._earliest_s(), self._next_s(), idle_until_s if is_empty else math.inf)
                self._changed.wait(max(self._wakes_at_s - now_s, 0.0))

    def _next_s(self) -> float:
        """When the thread has something to do that the time of no call brings; infinite where there is nothing."""
        if self._due or (self._closing.is_set() and self._waiting):
            return -math.inf
        return min(self._come_since_s + _ARRIVAL_S, self._next_set_s())

    def _next_set_s(self) -> float:
        return max(self._news_since_s + GATHER_S, self._last_set.next_s(len(self._waiting)))

    def _earliest_s(self) -> float:
        return min((each.until_s for each in self._waiting.values()), default=math.inf)

    def _take_come(self, now_s: float) -> "_Work | None":
        if not self._come or self._come_since_s + _ARRIVAL_S > now_s:
            return None
        calls, self._come = self._come[:_RECEIVED_AT_ONCE], self._come[_RECEIVED_AT_ONCE:]
        self._come_since_s = now_s if self._come else math.inf
        return _Work(self._receive, calls)

    def _take_due(self, now_s: float) -> "_Work | None":
        tells_news = now_s >= self._next_set_s()
        if tells_news:
            self._news_since_s = math.inf
        taken = [each for each in self._waiting.values() if self._is_due(each, now_s, tells_news=tells_news)]
        for each in taken:
            del self._waiting[each.asked.kiosk_id]
        calls, self._due = [*self._due, *taken], []
        return _Work(self._answer, calls, tells_news=tells_news) if calls else None

    def _is_due(self, call: WaitingCall, now_s: float, *, tells_news: bool) -> bool:
        if self._closing.is_set() or call.until_s <= now_s:
            return True
        return tells_news and call.cursor < self._latest


@dataclass(frozen=True, slots=True)
class _Work:
    """A set of calls, and what is to be done with it."""

    do: Work
    calls: Sequence[WaitingCall]
    tells_news: bool = False

    def begin(self) -> None:
        self.do(self.calls)
