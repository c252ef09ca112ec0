"""What is read of a kiosk at the moment of a scrape: outbox, readers, faults, its clock beside the centre's."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from kiosk.store import outbox
from kiosk.store.identity import Identity
from kiosk.store.sqlite import Store
from sync.clock import now_ms


class Present(Collector):
    """The state of one kiosk."""

    def __init__(
        self, store: Store, status: Callable[[], Mapping[str, Any]], identity: Callable[[], Identity | None]
    ) -> None:
        """`status` is what `kiosk status` tells, and `identity` who this kiosk is."""
        self._store = store
        self._status = status
        self._identity = identity

    def describe(self) -> list[Metric]:
        """Nothing: the parts that are read do not run yet when this is registered."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The gauges of this moment. Where the database cannot be read, that alone."""
        try:
            status, waiting_s = self._status(), self._waiting_s()
        except sqlite3.Error:
            yield _single("database_up", "Whether the database can be read.", 0)
            return
        yield _single("database_up", "Whether the database can be read.", 1)
        yield _single("outbox_actions", "Actions that the centre has not judged.", status["outbox"]["pending"])
        yield _single("outbox_age_seconds", "Age of the oldest of them; 0 without one.", waiting_s)
        refused = status["outbox"]["refused_by_network"]
        yield _single("outbox_refused_actions", "Those that the network does not let pass.", _number(refused))
        yield _single("faults", "Faults that kiosk status names.", len(status["faults"]))
        yield _single("enrolled", "Whether the kiosk is one of a centre.", status["enrolled"] and not status["ended"])
        yield _single("online", "Whether the centre answers, as the screen shows it.", status["online"])
        states = GaugeMetricFamily("nfc_kiosk_reader_state", "1 for the state of a reader.", labels=("reader", "state"))
        for reader in status["readers"]:
            states.add_metric((reader["name"], reader["state"]), 1)
        yield states
        yield from self._clock()

    def _waiting_s(self) -> float:
        with self._store.read() as db:
            oldest = outbox.oldest_pending(db)
        return max(0.0, (now_ms() - oldest["applied_ms"]) / 1000) if oldest else 0.0

    def _clock(self) -> Iterator[Metric]:
        """The offset at the last whole roster: the answer's way from the centre is in it, mostly milliseconds."""
        identity = self._identity()
        if identity is None or identity.as_of_ms is None or identity.as_of_clock is None:
            return
        offset_s = (identity.as_of_clock.wall_ms - identity.as_of_ms) / 1000
        yield _single("clock_offset_seconds", "This clock less the centre's.", offset_s)
        told_s = identity.as_of_ms / 1000
        yield _single("roster_timestamp_seconds", "The centre's time of the last whole roster (Unix time).", told_s)


def _number(refused: Mapping[str, Any] | None) -> int:
    return int(refused["actions"]) if refused else 0


def _single(name: str, help_text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"nfc_kiosk_{name}", help_text, value)
