"""A scrape of a metrics endpoint, as Prometheus reads it."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import requests
from prometheus_client.parser import text_string_to_metric_families

PATIENCE_S = 30


class Scraped:
    """The samples of one scrape."""

    def __init__(self, text: str) -> None:
        self.families = {each.name: each for each in text_string_to_metric_families(text)}
        self._samples: dict[str, list[Any]] = defaultdict(list)
        for family in self.families.values():
            for sample in family.samples:
                self._samples[sample.name].append(sample)

    @property
    def names(self) -> set[str]:
        """The names of the samples, and those of families without one, as a query would spell them."""
        endings = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
        empty = {name + end for name, family in self.families.items() for end in endings.get(family.type, ("",))}
        return empty | set(self._samples)

    def by(self, name: str, *labels: str) -> dict[Any, float]:
        """The values of a metric by those labels, without those that are 0. Other labels are summed."""
        found: dict[Any, float] = defaultdict(float)
        for each in self._samples[name]:
            key = tuple(each.labels[label] for label in labels)
            found[key[0] if len(labels) == 1 else key] += each.value
        return {key: value for key, value in found.items() if value}

    def value(self, name: str) -> float:
        """The value of a metric, summed over its labels. Fails where there is none."""
        assert self._samples[name], f"{name} is not told"
        return float(sum(each.value for each in self._samples[name]))


def scrape(url: str, **headers: str) -> Scraped:
    """Scrapes a URL without its path."""
    answer = requests.get(f"{url}/metrics", headers=headers, timeout=PATIENCE_S)
    assert answer.status_code == 200, answer.text
    return Scraped(answer.text)
