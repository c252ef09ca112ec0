"""Counters and histograms as Prometheus reads them."""

import threading

from prometheus_client import CollectorRegistry, generate_latest

from sync.metrics import LabelledCounter, LabelledHistogram
from tests.scraped import Scraped


def told(registry: CollectorRegistry) -> Scraped:
    return Scraped(generate_latest(registry).decode())


def test_a_counter_has_a_series_for_each_set_of_values():
    registry = CollectorRegistry()
    counter = LabelledCounter(registry, "taps", "Taps.", "card", "reader")
    counter.add(("known", "a"))
    counter.add(("known", "a"), 2.0)
    counter.add(("unknown", "a"))
    assert told(registry).by("taps_total", "card", "reader") == {("known", "a"): 3.0, ("unknown", "a"): 1.0}


def test_a_counter_without_labels_begins_at_0():
    registry = CollectorRegistry()
    LabelledCounter(registry, "ends", "Ends.")
    assert told(registry).value("ends_total") == 0.0


def test_a_histogram_counts_a_value_in_its_bucket_and_all_larger_ones():
    registry = CollectorRegistry()
    histogram = LabelledHistogram(registry, "seconds", "Seconds.", bounds=(0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 7.0):
        histogram.add((), value)
    found = told(registry)
    assert found.by("seconds_bucket", "le") == {"0.1": 2.0, "1.0": 3.0, "+Inf": 4.0}
    assert (found.value("seconds_count"), found.value("seconds_sum")) == (4.0, 7.65)


def test_threads_that_count_at_once_lose_nothing():
    registry = CollectorRegistry()
    counter = LabelledCounter(registry, "taps", "Taps.", "card")

    def count() -> None:
        for _ in range(10_000):
            counter.add(("known",))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert told(registry).value("taps_total") == 40_000.0
