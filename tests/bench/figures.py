"""The results of a benchmark: named figures with their unit, and the goal beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One line of the table. `goal` is words, such as "≤ 2 × the bare path"."""

    name: str
    value: str
    goal: str = ""


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile: `share` 0.99 is p99."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * len(ordered)))]


def ms(seconds: float) -> str:
    """Milliseconds, written with two decimals."""
    return f"{seconds * 1000:.2f} ms"


def table(figures: Sequence[Figure]) -> str:
    """The figures as columns."""
    widths = [max(len(getattr(f, column)) for f in figures) for column in ("name", "value", "goal")]
    return "\n".join(
        f"  {f.name.ljust(widths[0])}  {f.value.rjust(widths[1])}  {f.goal.ljust(widths[2])}".rstrip() for f in figures
    )
