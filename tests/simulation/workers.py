"""Many schedules in many processes, all with one template."""

from __future__ import annotations

import gc
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.schedule import Played, play


def play_all(template: str, seeds: range, jobs: int, *, lied_to: bool | None = None) -> Iterator[Played]:
    """Plays the schedules of these seeds and yields them in their order. Only failed schedules have their log.

    `lied_to` is as in `play`.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, gc.freeze) as pool:
        yield from pool.map(_play, [(template, seed, lied_to) for seed in seeds], chunksize=8)


def _play(arguments: tuple[str, int, bool | None]) -> Played:
    template, seed, lied_to = arguments
    played = play(seed, template, lied_to=lied_to)
    return played if played.problems else Played(seed, played.actions, played.faults, played.gone, lies=played.lies)
