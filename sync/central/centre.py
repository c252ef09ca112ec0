"""The dependencies of every use case of the centre, in one frozen record."""

from collections.abc import Callable
from dataclasses import dataclass

from sync.cards import CardKeys
from sync.central.store.sqlite import Store
from sync.clock import now_ms
from sync.ids import new_id
from sync.journey.definitions import Definitions


@dataclass(frozen=True, slots=True)
class Centre:
    """One open centre: its database, its card keys, the rules in force, its clock (UTC ms) and its maker of ids.

    All of it may be used from any thread. The database holds a site before the first request for a patient.
    """

    store: Store
    keys: CardKeys
    definitions: Definitions
    clock: Callable[[], int] = now_ms
    ids: Callable[[], str] = new_id
