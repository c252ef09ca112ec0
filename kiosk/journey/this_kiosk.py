"""This kiosk's identity and rules in memory: a tap reads neither from the disk.

The service for people (`kiosk.journey.journeys`) and the sync agent's (`kiosk.journey.ledger`) share one `ThisKiosk`.
"""

import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from kiosk.journey.transaction_context import TransactionContext, transaction_context
from kiosk.store import audit
from kiosk.store.identity import Identity, read_definitions, read_identity
from kiosk.store.site_cards import SiteCards
from kiosk.store.sqlite import Store
from sync.clock import ClockReading, read_clock
from sync.ids import new_id
from sync.journey.definitions import Definitions, shipped

log = logging.getLogger(__name__)

NO_DEFINITIONS = 0  # the definitions_version of a kiosk that has none: the centre sends them


class NotEnrolled(Exception):
    """The centre has not enrolled this machine yet."""


class ThisKiosk:
    """One kiosk: its store, its clock, its card keys, its identity and definitions. May be used from any thread."""

    def __init__(
        self,
        store: Store,
        clock: Callable[[], ClockReading] = read_clock,
        new_id: Callable[[], str] = new_id,
    ) -> None:
        """`clock` reads the clocks of this machine; `new_id` makes the ids of actions, visits and queue entries."""
        self.store = store
        self.clock = clock
        self.new_id = new_id
        self.cards = SiteCards(store.path.with_name(f"{store.path.name}.keys"))
        self._identity, self._definitions = self._read()
        self._report_unreadable_definitions()

    @property
    def identity(self) -> Identity | None:
        """Who this kiosk is; None before its enrolment."""
        return self._identity

    @property
    def definitions(self) -> Definitions:
        """The rules in force: the last ones of the centre. Before the first, or where they cannot be read, the shipped
        ones."""
        return self._definitions

    def enrolled_identity(self) -> Identity:
        """Returns the identity. Raises NotEnrolled before the enrolment."""
        if self._identity is None:
            raise NotEnrolled
        return self._identity

    def context(
        self, changing: sqlite3.Connection | None = None, definitions: Definitions | None = None
    ) -> TransactionContext:
        """Returns the context of a transaction now. Raises NotEnrolled.

        In a transaction that changes the identity, `changing` is its connection and `definitions` are the new rules.
        """
        identity = read_identity(changing) if changing else self._identity
        if identity is None:
            raise NotEnrolled
        return transaction_context(identity, definitions or self._definitions, self.clock(), self.cards.keys)

    @contextmanager
    def change(self, *, in_background: bool = False) -> Iterator[sqlite3.Connection]:
        """Opens a transaction that may change the identity or the definitions.

        `in_background` is as in `Store.write`. After the commit both are read again, before another thread gets the
        store. A failed commit changes nothing.
        """
        with self.store.read():
            with self.store.write(in_background=in_background) as db:
                yield db
            self._identity, self._definitions = self._read()

    def _read(self) -> tuple[Identity | None, Definitions]:
        with self.store.read() as db:
            identity = read_identity(db)
            try:
                return identity, read_definitions(db) or shipped()
            except (ValueError, RecursionError):
                # Another version of the program wrote them, or they are damaged. The kiosk asks for them again.
                assert identity is not None
                return replace(identity, definitions_version=NO_DEFINITIONS), shipped()

    def _report_unreadable_definitions(self) -> None:
        """Logs once per start that the shipped rules replace the unreadable ones of the centre."""
        if self._identity is None or self._identity.definitions_version != NO_DEFINITIONS:
            return
        log.error("the stored definitions cannot be read: the shipped ones apply until the centre sends its own again")
        # On a full disk only the log has the report; the missing audit row must not stop the service.
        with suppress(sqlite3.Error), self.store.write() as db:
            audit.note(db, self.context().at_ms, "definitions", "unreadable: the shipped ones are in force")
