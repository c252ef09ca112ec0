"""Plays schedules from a first seed on, until one fails or the given number is played. Prints the result as JSON."""

from __future__ import annotations

import json
import sys

from tests.simulation.__main__ import template
from tests.simulation.hospital import OPEN_AT_NIGHT
from tests.simulation.schedule import nights_of, play


def main(first: int, number: int, *, nights: bool, lied_to: bool) -> None:
    """Prints the number of schedules, and the kinds of problems of the last one (none where no schedule failed)."""
    kinds: list[str] = []
    played = 0
    with template(OPEN_AT_NIGHT) if nights else template() as made:
        while played < number and not kinds:
            seed = first + played
            found = play(seed, made, nights_of(seed) if nights else None, lied_to=lied_to)
            kinds = sorted({problem.kind for problem in found.problems})
            played += 1
    print(json.dumps({"schedules": played, "kinds": kinds}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), nights="nights" in sys.argv, lied_to="lied_to" in sys.argv)
