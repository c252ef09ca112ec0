"""What the taking of a row needs: the transaction, the rules, the site and the time."""

from collections.abc import Callable
from dataclasses import dataclass

from sync.central.records.history import Provenance
from sync.central.records.site import SiteSettings
from sync.central.site_keys import SiteKeys
from sync.central.store.transactions import WriteTransaction
from sync.clock import TimeQuality
from sync.ids import new_id
from sync.journey.definitions import Definitions

WHO = "import"


@dataclass(frozen=True, slots=True)
class ImportContext:
    """One transaction in which rows are taken, on a site that exists. `today` is the day of the site.

    `ids` makes the ids of new cases. `who` names the cause in the history: an import, or a person at the desk.
    """

    db: WriteTransaction
    definitions: Definitions
    keys: SiteKeys
    site: SiteSettings
    today: str
    now_ms: int
    ids: Callable[[], str] = new_id
    who: str = WHO

    @property
    def by_hand(self) -> bool:
        """Whether a person at the desk made the row."""
        return self.who != WHO

    @property
    def provenance(self) -> Provenance:
        """The origin of the rows of a change that an import caused."""
        return Provenance("centre", self.who, self.now_ms, self.now_ms, TimeQuality.RECEIVED)
