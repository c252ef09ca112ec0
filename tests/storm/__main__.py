"""Plays stories by hand: `python -m tests.storm -n 500`, or `python -m tests.storm --seed 17` to see one again.

A failure prints its steps and the notes of the page, and with --shrink the shortest story that fails in the same way.
The exit status is 1 where a story failed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests import components
from tests.kiosk.ui.browser import running
from tests.storm.found import FOUND
from tests.storm.play import Played, play
from tests.storm.shrinking import SPARE, shrink
from tests.storm.stage import stage
from tests.storm.story import Step, story


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.storm", description=__doc__)
    parser.add_argument("-n", type=int, default=0, help="the number of stories (500)")
    parser.add_argument("--seed", type=int, help="the first seed; without -n the only one, with its notes")
    parser.add_argument("--jobs", type=int, default=1, help="the number of hospitals that play side by side")
    parser.add_argument("--found", choices=FOUND, help="plays a story that has failed before, with its notes")
    parser.add_argument("--shrink", action="store_true", help="shorten each story that fails")
    options = parser.parse_args(arguments)
    if options.found:
        return _play([(0, FOUND[options.found])], shrinks=options.shrink)
    first = options.seed or 0
    number = options.n or (500 if options.seed is None else 1)
    if options.jobs > 1:
        return _side_by_side(first, number, options.jobs)
    return _play([(seed, story(seed)) for seed in range(first, first + number)], shrinks=options.shrink)


def _play(stories: Sequence[tuple[int, Sequence[Step]]], *, shrinks: bool) -> int:
    """Plays stories one after the other; of a single one it prints the notes in any case."""
    failed = []
    began = time.monotonic()
    people = len(stories) + (SPARE if shrinks else 0)
    with (
        running(components.chromium()) as browser,
        tempfile.TemporaryDirectory(prefix="storm-") as directory,
        stage(Path(directory) / "town", browser, people) as made,
    ):
        for seed, steps in stories:
            started = time.monotonic()
            played = play(made, seed, steps)
            took_s = time.monotonic() - started
            print(f"seed {seed} ({took_s:.1f} s): {'; '.join(played.faults) or 'all is well'}", flush=True)
            if played.faults or len(stories) == 1:
                _tell(played)
            if played.faults:
                failed.append(seed)
                if shrinks:
                    print("the shortest:")
                    _tell(shrink(made, played))
    print(f"{len(stories)} stories in {time.monotonic() - began:.0f} s; failed seeds: {failed or 'none'}")
    return bool(failed)


def _tell(played: Played) -> None:
    print(
        "\n".join(["", *(f"    {line}" for line in played.log), "", *(f"FAULT: {each}" for each in played.faults), ""])
    )


def _side_by_side(first: int, number: int, jobs: int) -> int:
    """Plays in several processes: each has a hospital and a browser of its own."""
    share = -(-number // jobs)
    starts = range(first, first + number, share)
    command = [sys.executable, "-m", "tests.storm"]
    processes = [
        subprocess.Popen([*command, "--seed", str(start), "-n", str(min(share, first + number - start))])
        for start in starts
    ]
    return max([process.wait() for process in processes])


if __name__ == "__main__":
    sys.exit(main())
