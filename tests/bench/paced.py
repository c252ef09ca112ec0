"""A desk that acts at a steady pace, however long an action takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from sync.ids import new_id
from tests.bench.figures import ms, percentile
from tests.bench.raw import Client

Step = tuple[str, str]  # an action, and the id of its patient


@dataclass(slots=True)
class Acted:
    """What was done: each step with the time of its answer (UTC ms), in their order, and the seconds of each."""

    steps: list[tuple[Step, float]] = field(default_factory=list)
    took_s: list[float] = field(default_factory=list)

    @property
    def answered_ms(self) -> dict[str, float]:
        """When the last action on each patient was answered (UTC ms)."""
        return {patient_id: done_ms for (_, patient_id), done_ms in self.steps}


def act(client: Client, steps: Iterator[Step], a_second: float, lasts_s: float) -> Acted:
    """Takes steps at this pace for so long. Raises AssertionError where one is not done."""
    number = round(lasts_s * a_second)
    return act_while(client, islice(steps, number), a_second, lambda: True)


def act_while(client: Client, steps: Iterator[Step], a_second: float, goes_on: Callable[[], bool]) -> Acted:
    """Takes steps at this pace as long as `goes_on()`. Raises AssertionError where one is not done."""
    acted = Acted()
    began_s = time.monotonic()
    for number, (action, patient_id) in enumerate(steps):
        if not goes_on():
            break
        time.sleep(max(0.0, began_s + number / a_second - time.monotonic()))
        sent_s = time.monotonic()
        client.act(number, {"action_type": action, "action_id": new_id(), "payload": {"patient_id": patient_id}})
        acted.took_s.append(time.monotonic() - sent_s)
        acted.steps.append(((action, patient_id), time.time() * 1000))
    return acted


def spread(seconds: list[float]) -> str:
    """The half, the 99th hundredth and the longest of some times."""
    return f"{ms(percentile(seconds, 0.5))}, {ms(percentile(seconds, 0.99))}, {ms(max(seconds))}"
