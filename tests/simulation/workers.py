"""Many schedules in many processes, all with one template."""

from __future__ import annotations

import gc
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.schedule import Played, play


def play_all(template: str, seeds: range, jobs: int) -> Iterator[Played]:
    """Plays the schedules of these seeds and yields them in their order. Only failed schedules have their log."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, gc.freeze) as pool:
        yield from pool.map(_play, [(template, seed) for seed in seeds], chunksize=8)


def _play(arguments: tuple[str, int]) -> Played:
    template, seed = arguments
    played = play(seed, template)
    return played if played.problems else Played(seed, played.actions, played.faults, played.gone)
