"""The metrics of one kiosk: what it counts from its start, and the port where that is read, if there is one."""

from collections.abc import Callable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.process_collector import ProcessCollector

from kiosk.config import MetricsSection
from kiosk.metrics.counts import KioskCounts
from kiosk.metrics.present import Present
from kiosk.metrics.server import MetricsServer
from kiosk.store.identity import Identity
from kiosk.store.sqlite import Store


class KioskMetrics:
    """The counts of a kiosk, and its metrics server."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.counts = KioskCounts(self._registry)
        self._server: MetricsServer | None = None

    def serve(
        self,
        section: MetricsSection,
        store: Store,
        status: Callable[[], Mapping[str, Any]],
        identity: Callable[[], Identity | None],
    ) -> None:
        """Serves from now on, where the configuration names an address. The rest is as `Present` takes it.

        Raises ConfigError where the token cannot be read, and OSError where the address is in use.
        """
        if section.listen:
            self._server = MetricsServer(self._registry, section)
            self._registry.register(Present(store, status, identity))
            ProcessCollector(registry=self._registry)
            self._server.start()

    def stop(self) -> None:
        """Ends the server."""
        if self._server is not None:
            self._server.stop()
