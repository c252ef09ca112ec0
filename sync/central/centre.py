"""The dependencies of every use case of the centre, in one frozen record."""

from collections.abc import Callable
from dataclasses import dataclass, field

from sync.central.metrics.counts import Counts
from sync.central.records.known_bearers import KnownBearers
from sync.central.records.looks import RecentLooks
from sync.central.records.tallies import Tallies
from sync.central.site_keys import SiteKeys
from sync.central.store.interface import Store
from sync.central.tls.certificate import ServedCertificate
from sync.clock import now_ms
from sync.ids import new_id
from sync.journey.definitions import Definitions


@dataclass(frozen=True, slots=True)
class Centre:
    """One open centre: its database, its card keys, the rules in force, its clock (UTC ms), its maker of ids, what its
    access log remembers, and what it counts.

    `certificate` is that of a centre that itself serves https.

    All of it may be used from any thread. The database holds a site before the first request for a patient.
    """

    store: Store
    keys: SiteKeys
    definitions: Definitions
    clock: Callable[[], int] = now_ms
    ids: Callable[[], str] = new_id
    looks: RecentLooks = field(default_factory=RecentLooks)
    bearers: KnownBearers = field(default_factory=KnownBearers)
    tallies: Tallies = field(default_factory=Tallies)
    counts: Counts = field(default_factory=Counts)
    certificate: ServedCertificate | None = None
