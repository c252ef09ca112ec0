"""Leaves events out of a schedule that fails for as long as what is left fails in the same way."""

from __future__ import annotations

from pathlib import Path

from tests.simulation.schedule import Event, Played, events_of, play


def shrunk(failed: Played, template: str | Path) -> Played:
    """The same failure with fewer events: halves, quarters and so on are left out, down to single ones."""
    events, best = events_of(failed.seed), failed
    size = len(events) // 2
    while size:
        for start in range(len(events) - size, -1, -size):
            fewer = events[:start] + events[start + size :]
            tried = _tried(failed, Path(template), fewer)
            if tried is not None:
                events, best = fewer, tried
        size //= 2
    return best


def _tried(failed: Played, template: Path, events: list[Event]) -> Played | None:
    played = play(failed.seed, template, events)
    wanted = {problem.kind for problem in failed.problems}
    return played if wanted & {problem.kind for problem in played.problems} else None
