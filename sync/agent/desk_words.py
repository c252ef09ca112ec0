"""Tells the centre words about cards for the desk, one after the other, on a thread of its own. No tap waits for it.

A word that got no answer is said again, for a few seconds: its card is on the screen so long.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sync.agent.client import Accepted, CentralClient
from sync.agent.ledger import KioskState
from sync.agent.versions import Negotiation
from sync.cards import CardHash
from sync.protocol import CallRefused, DeskCardRequest, DeskWord, EndCode

log = logging.getLogger(__name__)

AGAIN_S = 0.5  # between two tries
TRIED_S = 10.0  # how long a word is tried
READER_EVERY_S = 600.0  # how often a reader of the desk says that it is one
_MOST = 16  # words that wait; a hand holds no more cards in that time


class _HasIdentity(Protocol):
    @property
    def identity(self) -> KioskState | None:
        """The kiosk's identity; None before enrolment."""
        ...


@dataclass(frozen=True, slots=True)
class _Said:
    """A word, and the moment after which it is tried no more (monotonic)."""

    word: DeskWord
    ask_id: str
    card: CardHash | None
    short_uid: bool
    reason: str
    until_s: float


class DeskWords:
    """The words that wait, and their thread from `start()` to `stop()`."""

    def __init__(
        self,
        ledger: _HasIdentity,
        connect: Callable[[], CentralClient],
        announce: Callable[[DeskWord, str, bool | None], object],
        *,
        is_reader: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`connect` makes a client for each word: they are rare, and a connection that lay idle may be dead.

        `announce` gets each word with the id of its wait, and whether it counts; None where no answer came.
        `is_reader`: the kiosk is a reader of the desk, and says so.
        """
        self._ledger = ledger
        self._connect = connect
        self._announce = announce
        self._is_reader = is_reader
        self._monotonic = monotonic
        self._versions = Negotiation()
        self._changed = threading.Condition()
        self._waiting: deque[_Said] = deque()
        self._reader_at_s = monotonic()
        self._client: CentralClient | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="sync desk", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def say(self, word: DeskWord, ask_id: str, card: CardHash | None, short_uid: bool, reason: str) -> bool:
        """Says a word later, after those before it. False where too many wait."""
        with self._changed:
            if self._stopping or len(self._waiting) >= _MOST:
                return False
            self._waiting.append(_Said(word, ask_id, card, short_uid, reason[:64], self._monotonic() + TRIED_S))
            self._changed.notify()
            return True

    def stop(self, timeout_s: float = 1.0) -> None:
        """Ends the thread. A call under way is cancelled."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
            client = self._client
        if client:
            client.abort()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while (said := self._next()) is not None:
            counts = self._try_until(said)
            if not self._stopping:
                self._announce(said.word, said.ask_id, counts)

    def _next(self) -> _Said | None:
        """Waits for the next word; None when the thread is to end."""
        with self._changed:
            while not self._stopping:
                if self._waiting:
                    return self._waiting.popleft()
                now_s = self._monotonic()
                if self._is_reader and now_s >= self._reader_at_s:
                    self._reader_at_s = now_s + READER_EVERY_S
                    return _Said(DeskWord.READER, "", None, False, "", now_s + TRIED_S)
                self._changed.wait(self._reader_at_s - now_s if self._is_reader else None)
        return None

    def _try_until(self, said: _Said) -> bool | None:
        """Whether a word counts; None where no answer came in its time."""
        while not self._stopping:
            try:
                counts = self._say_once(said)
            except Exception as error:  # noqa: BLE001 the edge of this thread: the next word must be said
                # Without the message, which could quote the word.
                log.error("a word about a card for the desk failed: %s", type(error).__name__)  # noqa: TRY400
                return None
            if counts is not None or self._monotonic() >= said.until_s:
                return counts
            with self._changed:
                self._changed.wait_for(lambda: self._stopping, AGAIN_S)
        return None

    def _say_once(self, said: _Said) -> bool | None:
        identity = self._ledger.identity
        if identity is None:
            return False
        request = DeskCardRequest(
            protocol_version=self._versions.version,
            site_id=identity.site_id,
            kiosk_id=identity.kiosk_id,
            word=said.word,
            ask_id=said.ask_id,
            card=said.card,
            short_uid=said.short_uid,
            reason=said.reason,
            sealed=True,
        )
        client = self._connect()
        with self._changed:
            self._client = client
            if self._stopping:
                client.abort()
        try:
            outcome = client.tell_desk_card(request)
        finally:
            with self._changed:
                self._client = None
            client.close()
        if isinstance(outcome, Accepted):
            if outcome.answer.site_id != identity.site_id:
                return None
            self._versions.learn(outcome.answer.versions)
            return outcome.answer.counts
        if isinstance(outcome, CallRefused):
            return self._refused(outcome)
        return None

    def _refused(self, refused: CallRefused) -> bool | None:
        """Whether a refused word counts: it does not, or it is said again in another version."""
        if refused.code is EndCode.UNSUPPORTED_VERSION and self._versions.refused(refused.versions):
            return None
        log.warning("a word about a card for the desk was refused: %s", refused.code)
        return False if refused.code is EndCode.MALFORMED else None
