"""The parts of a kiosk over one store, connected as in the daemon, and queries of the store for tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kiosk.journey.adoption import PORTION_S
from kiosk.journey.journeys import Journeys
from kiosk.journey.ledger import Ledger
from kiosk.journey.this_kiosk import ThisKiosk
from kiosk.store import outbox, patient_aliases, patients
from kiosk.store.sqlite import Store
from sync.cards import CardHash
from sync.clock import ClockReading, read_clock
from sync.ids import new_id
from sync.journey.model import PatientId


class KioskParts:
    """The journey service and the ledger of one kiosk."""

    def __init__(
        self,
        store: Store,
        clock: Callable[[], ClockReading] = read_clock,
        new_id: Callable[[], str] = new_id,
        portion_s: float = PORTION_S,
        *,
        shows_visits: bool = False,
    ) -> None:
        self.store = store
        self.kiosk = ThisKiosk(store, clock, new_id)
        self.journeys = Journeys(self.kiosk, shows_visits=shows_visits)
        self.ledger = Ledger(self.kiosk, portion_s)

    @property
    def today(self) -> str:
        """The site day by this kiosk's clock."""
        return self.kiosk.context().today

    def pending(self) -> int:
        """Returns how many actions are pending."""
        with self.store.read() as db:
            return outbox.pending_count(db)

    def patient_of_card(self, cards: Sequence[CardHash]) -> PatientId | None:
        """Returns the patient that a card is bound to, or None."""
        with self.store.read() as db:
            holder = patients.read_holder(db, self.kiosk.cards.present(cards))
        return holder.patient.patient_id if holder else None

    def resolve(self, patient_id: str) -> PatientId:
        """Returns the patient that an id means."""
        with self.store.read() as db:
            return patient_aliases.resolve(db, patient_id)
