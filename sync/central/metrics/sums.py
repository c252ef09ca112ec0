"""The metrics of a service: what its workers have counted, and what its gateway sees of requests and sockets.

They live as long as the gateway's process.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from sync.central.metrics.availability import Availability
from sync.central.metrics.counts import Count, Measure
from sync.metrics import LabelledCounter, LabelledHistogram


class Sums:
    """The metrics of one service."""

    def __init__(self, workers: Callable[[], Sequence[bool]]) -> None:
        """`workers` says of each worker whether it is ready."""
        self._registry = registry = CollectorRegistry()
        self.availability = Availability()
        self._counted = {
            Measure.ACTIONS: LabelledCounter(
                registry,
                Measure.ACTIONS,
                "Actions by their outcome: done, or the code of the error.",
                *("action", "channel", "outcome"),
            ),
            Measure.VERDICTS: LabelledCounter(
                registry, Measure.VERDICTS, "Verdicts on actions of kiosks, one an action.", "verdict", "code"
            ),
        }
        self._action_seconds = LabelledHistogram(
            registry, "nfc_centre_action_seconds", "Seconds from a read request to the commit of its action.", "channel"
        )
        self._requests = LabelledCounter(
            registry, "nfc_centre_http_requests", "Answered HTTP requests.", "way", "status"
        )
        self._request_seconds = LabelledHistogram(
            registry,
            "nfc_centre_http_request_seconds",
            "Seconds from a whole request to its answer, without those that wait for news.",
            "way",
        )
        self._worker_ends = LabelledCounter(registry, "nfc_centre_worker_ends", "Ends of workers, at a stop too.")
        registry.register(_Present(self.availability, workers))
        ProcessCollector(registry=registry)

    def take(self, counts: Iterable[Count]) -> None:
        """Adds what a worker has counted."""
        for each in counts:
            self._counted[each.measure].add(each.labels)
            if each.seconds is not None:
                self._action_seconds.add(each.labels[1:2], each.seconds)

    def answered(self, way: str, status: int, seconds: float | None) -> None:
        """Counts an answered request. `seconds` is None for one that has waited for news."""
        self._requests.add((way, str(status)))
        if seconds is not None:
            self._request_seconds.add((way,), seconds)

    def worker_ended(self) -> None:
        """Counts the end of a worker."""
        self._worker_ends.add()

    def exposition(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self._registry)


class _Present(Collector):
    """What is read at the moment of a scrape."""

    def __init__(self, availability: Availability, workers: Callable[[], Sequence[bool]]) -> None:
        self._availability = availability
        self._workers = workers

    def collect(self) -> Iterator[Metric]:
        """Sockets and workers of this moment."""
        now_s, ready = time.monotonic(), self._workers()
        yield CounterMetricFamily(
            "nfc_centre_socket_connected_seconds",
            "Connected time of all WebSockets.",
            self._availability.connected_s(now_s),
        )
        yield CounterMetricFamily(
            "nfc_centre_socket_wanted_seconds",
            "The same, and the gaps after which a client came back that was cut off.",
            self._availability.wanted_s(now_s),
        )
        yield GaugeMetricFamily("nfc_centre_sockets", "Open WebSockets.", self._availability.open)
        yield GaugeMetricFamily("nfc_centre_workers", "Workers of the service.", len(ready))
        yield GaugeMetricFamily("nfc_centre_workers_ready", "Workers that take calls.", sum(ready))
