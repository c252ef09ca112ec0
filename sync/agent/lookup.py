"""Asks the centre who holds a card that this kiosk does not know. No tap waits for the answer."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from sync.agent.answers import advised, in_words
from sync.agent.client import LOOKUP_PATH, Accepted, CentralClient, NoAnswer
from sync.agent.ledger import KioskState
from sync.agent.versions import Negotiation
from sync.cards import CardHash
from sync.protocol import CallRefused, EndCode, LookupAnswer, LookupRequest

log = logging.getLogger(__name__)

Cards = tuple[CardHash, ...]


class LookupLedger(Protocol):
    """What a look-up needs of the kiosk's store."""

    @property
    def identity(self) -> KioskState | None:
        """The kiosk's identity; None before enrolment."""
        ...

    def take_lookup(self, answer: LookupAnswer) -> None:
        """Writes the patient of an answer, unless the roster has a later state of them."""
        ...


class Lookups:
    """Asks about one card at a time, on a thread of its own. A new question replaces one that still waits."""

    def __init__(
        self,
        ledger: LookupLedger,
        connect: Callable[[], CentralClient],
        announce: Callable[[Cards, bool], object],
    ) -> None:
        """`connect` makes a client for each card: look-ups are rare, and a connection that lay idle may be dead.

        `announce` gets each card after its look-up, and whether the centre answered. A patient who was found is in the
        store then.
        """
        self._ledger = ledger
        self._connect = connect
        self._announce = announce
        self._versions = Negotiation()
        self._changed = threading.Condition()
        self._waiting: Cards | None = None
        self._client: CentralClient | None = None
        self._stopping = False
        self._reason = ""
        self._thread = threading.Thread(target=self._run, name="sync lookup", daemon=True)

    @property
    def reason(self) -> str:
        """Why the last look-up got no answer, and what helps; empty where it got one."""
        return self._reason

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def ask(self, cards: Cards) -> None:
        """Asks about a card, given as its hashes under every key, newest first. Returns at once."""
        with self._changed:
            self._waiting = cards
            self._changed.notify()

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

    def run_once(self, cards: Cards) -> bool:
        """Asks about one card, and writes the patient who holds it. Returns whether the centre answered."""
        identity = self._ledger.identity
        if identity is None:
            return False
        request = LookupRequest(
            protocol_version=self._versions.version,
            site_id=identity.site_id,
            kiosk_id=identity.kiosk_id,
            card=cards[0],
            sealed=True,
        )
        with self._connected() as client:
            outcome = client.look_up(request)
        if isinstance(outcome, Accepted) and outcome.answer.site_id == identity.site_id:
            self._versions.learn(outcome.answer.versions)
            self._ledger.take_lookup(outcome.answer)
            self._note("")
            return True
        if isinstance(outcome, NoAnswer):
            self._note(advised(outcome.reason, LOOKUP_PATH))
        elif isinstance(outcome, CallRefused):
            self._note(in_words(outcome))
        if isinstance(outcome, CallRefused) and outcome.code is EndCode.UNSUPPORTED_VERSION:
            self._versions.refused(outcome.versions)
        return False

    def _note(self, reason: str) -> None:
        if reason and reason != self._reason and not self._stopping:
            log.warning("look-up of a card: %s", reason)
        self._reason = reason

    def _run(self) -> None:
        while (cards := self._next()) is not None:
            try:
                answered = self.run_once(cards)
            except Exception as error:  # noqa: BLE001 the edge of this thread: the next card must be looked up
                # Without the message, which could quote a row.
                log.error("a look-up failed: %s", type(error).__name__)  # noqa: TRY400
                answered = False
            if not self._stopping:
                self._announce(cards, answered)

    def _next(self) -> Cards | None:
        """Waits for the next card; None when the thread is to end."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or self._waiting is not None)
            cards, self._waiting = self._waiting, None
            return None if self._stopping else cards

    @contextmanager
    def _connected(self) -> Iterator[CentralClient]:
        """A client for one call, which `stop` can cancel."""
        client = self._connect()
        with self._changed:
            self._client = client
            if self._stopping:
                client.abort()
        try:
            yield client
        finally:
            with self._changed:
                self._client = None
            client.close()
