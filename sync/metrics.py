"""Counters and histograms for Prometheus, as cheap as the path that they stand on needs.

Those of prometheus_client add a series with the time of its making to each of theirs, which nobody reads.
"""

import threading
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

MEDIA = "text/plain; version=0.0.4; charset=utf-8"  # of the text format, as every Prometheus reads it
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class LabelledCounter(Collector):
    """A counter for each set of values of its labels. Safe from any thread."""

    def __init__(self, registry: CollectorRegistry, name: str, help_text: str, *labels: str) -> None:
        """`name` is without `_total`, which the text format adds."""
        self._name, self._help, self._labels = name, help_text, labels
        self._lock = threading.Lock()
        # Without labels there is one series, which begins at 0.
        self._values: dict[tuple[str, ...], float] = {} if labels else {(): 0.0}
        registry.register(self)

    def add(self, labels: tuple[str, ...] = (), value: float = 1.0) -> None:
        """Adds to the counter of these values of the labels."""
        with self._lock:
            self._values[labels] = self._values.get(labels, 0.0) + value

    def collect(self) -> Iterator[Metric]:
        """The counters of this moment."""
        family = CounterMetricFamily(self._name, self._help, labels=self._labels)
        with self._lock:
            values = sorted(self._values.items())
        for labels, value in values:
            family.add_metric(labels, value)
        yield family


class LabelledHistogram(Collector):
    """A histogram of seconds for each set of values of its labels. Safe from any thread."""

    def __init__(
        self,
        registry: CollectorRegistry,
        name: str,
        help_text: str,
        *labels: str,
        bounds: Sequence[float] = SECONDS,
    ) -> None:
        """`bounds` are the upper ends of its buckets."""
        self._name, self._help, self._labels, self._bounds = name, help_text, labels, bounds
        self._lock = threading.Lock()
        self._series: dict[tuple[str, ...], _Buckets] = {} if labels else {(): _Buckets(len(bounds))}
        registry.register(self)

    def add(self, labels: tuple[str, ...], value: float) -> None:
        """Adds an observed value."""
        place = bisect_left(self._bounds, value)
        with self._lock:
            found = self._series.get(labels)
            if found is None:
                found = self._series[labels] = _Buckets(len(self._bounds))
            found.counts[place] += 1
            found.sum += value

    def collect(self) -> Iterator[Metric]:
        """The histograms of this moment."""
        family = HistogramMetricFamily(self._name, self._help, labels=self._labels)
        ends = [*(str(float(bound)) for bound in self._bounds), "+Inf"]
        with self._lock:
            series = [(labels, list(each.counts), each.sum) for labels, each in sorted(self._series.items())]
        for labels, counts, total in series:
            below, buckets = 0, []
            for end, count in zip(ends, counts, strict=True):
                below += count
                buckets.append((end, float(below)))
            family.add_metric(labels, buckets, total)
        yield family


class _Buckets:
    """The counts of one series, the values above the last bound among them, and the sum of all values."""

    __slots__ = ("counts", "sum")

    def __init__(self, bounds: int) -> None:
        self.counts = [0] * (bounds + 1)
        self.sum = 0.0
