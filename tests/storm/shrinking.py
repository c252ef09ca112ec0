"""Shortens a failed story: leaves out steps as long as the rest fails too.

Real processes are never twice at the same millisecond, so a shorter story counts as well only after several tries.
"""

from __future__ import annotations

from tests.storm.play import Played, play
from tests.storm.stage import Stage

TRIES = 3
SPARE = 120  # the casts that a shortening may use


def shrink(stage: Stage, failed: Played) -> Played:
    """The shortest story found that fails."""
    best, left = failed, SPARE
    number = 0
    while number < len(best.steps) and left >= TRIES:
        fewer = [*best.steps[:number], *best.steps[number + 1 :]]
        tries = (play(stage, failed.seed, fewer) for _ in range(TRIES))
        left -= TRIES
        shorter = next((played for played in tries if played.faults), None)
        if shorter is None:
            number += 1
        else:
            best = shorter
    return best
