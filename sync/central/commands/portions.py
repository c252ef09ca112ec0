"""Long work at the centre, as a command drives it: short calls one after the other, and the sum of their counts."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import click


def in_portions(centre: Callable[..., Any], operation: str, what: str, arguments: Mapping[str, Any]) -> Counter[str]:
    """Repeats an operation until nothing is left, and returns the sum of its counts. Tells how far it is."""
    counts: Counter[str] = Counter()
    after: str | None = ""
    while after is not None:
        found = centre(operation, **arguments, after=after)
        counts.update(found["counts"])
        after = found["after"]
        if after is not None:
            click.echo(f"{what}: {sum(counts.values())} results so far", err=True)
    return counts


def counts_in_words(counts: Mapping[str, int]) -> str:
    """The counts, one a line; those that are not 0."""
    lines = [f"{number:>6}  {name.replace('_', ' ')}" for name, number in counts.items() if number]
    return "\n".join(lines) or "there was nothing to do"
