"""Plays schedules from a first seed on, until one fails or the given number is played. Prints the result as JSON."""

from __future__ import annotations

import json
import sys

from tests.simulation.__main__ import template
from tests.simulation.schedule import play


def main(first: int, number: int) -> None:
    """Prints the number of schedules, and the kinds of problems of the last one (none where no schedule failed)."""
    kinds: list[str] = []
    played = 0
    with template() as made:
        while played < number and not kinds:
            kinds = sorted({problem.kind for problem in play(first + played, made).problems})
            played += 1
    print(json.dumps({"schedules": played, "kinds": kinds}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
