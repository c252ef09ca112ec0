"""Shortens a failed schedule: leaves out events as long as the rest fails in the same way."""

from __future__ import annotations

from pathlib import Path

from tests.simulation.schedule import Event, Played, events_of, play


def shrink(failed: Played, template: str | Path) -> Played:
    """Returns a schedule with fewer events and the same failure. Leaves out halves, quarters and so on, down to single
    events."""
    events, best = events_of(failed.seed, lied_to=failed.lied_to), failed
    size = len(events) // 2
    while size:
        for start in range(len(events) - size, -1, -size):
            fewer = events[:start] + events[start + size :]
            played = _play(failed, Path(template), fewer)
            if played is not None:
                events, best = fewer, played
        size //= 2
    return best


def _play(failed: Played, template: Path, events: list[Event]) -> Played | None:
    played = play(failed.seed, template, events, lied_to=failed.lied_to)
    kinds = {problem.kind for problem in failed.problems}
    return played if kinds & {problem.kind for problem in played.problems} else None
