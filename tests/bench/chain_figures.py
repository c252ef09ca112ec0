"""How long changes took to the kiosks of a chain.

Gathering of a change ends when a worker makes the first answer that has it. Each worker tells its own kiosks. So the
time of a kiosk that missed a set counts from the set that it missed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sync.central.kiosks.waiting_room import interval_s
from tests.bench.figures import Figure
from tests.bench.paced import Acted, spread

_Key = tuple[str, int]  # a patient, and the place of a worker


def told_figures(acted: Acted, told: Mapping[str, Any], places: Sequence[int]) -> Iterator[Figure]:
    """The figures of what kiosks were told. `places` are the places of their workers.

    Raises AssertionError where a kiosk has a change twice, or not at all.
    """
    answered_ms = acted.answered_ms
    pages: list[list[str]] = told["pages"]
    answers: list[tuple[int, int, int, float]] = told["answers"]
    gathered_ms: dict[_Key, int] = {}
    had: dict[str, int] = dict.fromkeys(answered_ms, 0)
    for kiosk, page, made_ms, _ in answers:
        for patient_id in pages[page]:
            key = (patient_id, places[kiosk])
            gathered_ms[key] = min(made_ms, gathered_ms.get(key, made_ms))
            had[patient_id] += 1
    assert set(had.values()) == {len(places)}, "each kiosk has each change once"
    whole_s, told_s = [], []
    for kiosk, page, _, got_ms in answers:
        for patient_id in pages[page]:
            whole_s.append((got_ms - answered_ms[patient_id]) / 1000)
            told_s.append((got_ms - gathered_ms[patient_id, places[kiosk]]) / 1000)
    gathering_s = [(at_ms - answered_ms[patient_id]) / 1000 for (patient_id, _), at_ms in gathered_ms.items()]
    least_s = interval_s(max(places.count(place) for place in set(places)))
    yield Figure("from one set of a worker to the next", f"{_apart_s(gathered_ms):.2f} s", f"{least_s:.2f} s")
    yield Figure("gathering of a change, p50, p99, longest", spread(gathering_s))
    yield Figure("from its end to a kiosk, p50, p99, longest", spread(told_s), "p99 ≤ 500 ms")
    yield Figure("from a change to a kiosk, p50, p99, longest", spread(whole_s))
    yield Figure("changes × kiosks, none missing and none twice", f"{sum(had.values()):,}")


def _apart_s(gathered_ms: Mapping[_Key, int]) -> float:
    """Seconds between two sets of a worker, on average."""
    sets = sorted({at_ms for (_, place), at_ms in gathered_ms.items() if place == 0})
    return (sets[-1] - sets[0]) / 1000 / max(1, len(sets) - 1)
