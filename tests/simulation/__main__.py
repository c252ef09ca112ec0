"""`make simulate`: plays many schedules on all cores with a progress bar, or one schedule with its log.

`make simulate N=50000` plays the seeds from 0 on (with `SEED=` from that seed on). `make simulate SEED=123` plays one
seed, event by event. A kiosk lies in each fourth schedule, with `LIAR=all` in all, with `LIAR=none` in none: the events
of one seed differ by that. The command fails where an action was lost or doubled, or a kiosk diverged or got stuck.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Collection
from pathlib import Path

from tests.simulation import hospital
from tests.simulation.faults import FAULTS
from tests.simulation.invariants import KINDS
from tests.simulation.lies import LIES
from tests.simulation.schedule import SHARED_MEMORY, Played, play
from tests.simulation.shrinking import shrink
from tests.simulation.workers import play_all

LAST_EVENTS = 40
BAR = 30
LIARS = {"some": None, "all": True, "none": False}


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns the exit status: 1 where a schedule failed."""
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("-n", type=int, default=0, help="the number of schedules (1000)")
    parser.add_argument("--seed", type=int, help="the first seed; without -n the only one, with its log")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="the number of processes (the cores)")
    parser.add_argument(
        "--liar", choices=LIARS, default="some", help="whether a kiosk lies: in some schedules, all or none"
    )
    options = parser.parse_args(arguments)
    # A set has the order of its members' hashes. An exact replay needs the same hashes in every process.
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.simulation", *(arguments or sys.argv[1:])])
    if options.seed is not None and not options.n:
        return _one(options.seed, LIARS[options.liar])
    return _many(options.seed or 0, options.n or 1000, options.jobs, LIARS[options.liar])


def _one(seed: int, lied_to: bool | None) -> int:
    with template() as made:
        played = play(seed, made, lied_to=lied_to)
        print("\n".join(played.log))
        _print_problems(played)
        if played.problems:
            short = shrink(played, made)
            print(f"\n{len(short.log)} of its {len(played.log)} lines lead to the same:\n" + "\n".join(short.log))
            _print_problems(short)
    return bool(played.problems)


def _many(first: int, number: int, jobs: int, lied_to: bool | None) -> int:
    totals, faults, lies, failed = Counter[str](), Counter[str](), Counter[str](), list[Played]()
    started = time.monotonic()
    with template() as made:
        for done, played in enumerate(play_all(made, range(first, first + number), jobs, lied_to=lied_to), 1):
            totals += Counter(schedules=1, actions=played.actions, gone=played.gone)
            totals += Counter({problem.kind for problem in played.problems})
            faults, lies = faults + played.faults, lies + played.lies
            failed += [played] if played.problems else []
            if played.problems and len(failed) <= 5:
                _print_failed(played)
            _draw(done, number, len(failed), time.monotonic() - started)
    _print_totals(totals, faults, lies, time.monotonic() - started, jobs)
    if failed:
        print("failed seeds:", *sorted(each.seed for each in failed)[:50])
    return bool(failed)


def template(overnight: Collection[str] = hospital.OVERNIGHT) -> tempfile.TemporaryDirectory[str]:
    """A directory with the files with which every schedule begins. It exists as long as the context.

    The entries of the exams `overnight` outlast the end of a day.
    """
    made = tempfile.TemporaryDirectory(prefix="simulation-", dir=SHARED_MEMORY if SHARED_MEMORY.is_dir() else None)
    hospital.make(Path(made.name), overnight)
    return made


def _draw(done: int, number: int, failed: int, took_s: float) -> None:
    full = done * BAR // number
    rate = done / took_s if took_s else 0.0
    left_s = (number - done) / rate if rate else 0.0
    if sys.stderr.isatty():
        bar = "█" * full + "·" * (BAR - full)
        text = f"\r{bar} {done}/{number}  {rate:.1f} schedules/s  {failed} failed  {left_s / 60:.0f} min left "
        print(text, end="\n" if done == number else "", file=sys.stderr, flush=True)
    elif done == number or done % max(1, number // 20) == 0:
        print(f"{done}/{number}, {rate:.1f} schedules/s, {failed} failed", file=sys.stderr, flush=True)


def _print_failed(played: Played) -> None:
    print(f"\nseed {played.seed} failed; its last events:")
    print("\n".join(played.log[-LAST_EVENTS:]))
    _print_problems(played)
    print(f"play it again: {played.again}\n", flush=True)


def _print_problems(played: Played) -> None:
    print("\n".join(f"{problem.kind.upper()}: {problem.text}" for problem in played.problems) or "all is well")


def _print_totals(totals: Counter[str], faults: Counter[str], lies: Counter[str], took_s: float, jobs: int) -> None:
    schedules = totals["schedules"]
    print(f"{schedules} schedules, {totals['actions']} actions, {faults.total()} faults in {took_s:.0f} s ", end="")
    print(f"on {jobs} cores ({schedules / took_s / jobs:.1f} schedules/s a core)")
    for fault in FAULTS:
        print(f"  {faults[fault.name]:9} {fault.name}")
    print(f"{lies.total()} lies of a kiosk")
    for lie in LIES:
        print(f"  {lies[lie.name]:9} {lie.name}")
    print(f"{totals['gone']} actions were lost with the only disk that had them, when that disk was set back")
    print(", ".join(f"{totals[kind]} {kind}" for kind in KINDS))


if __name__ == "__main__":
    sys.exit(main())
