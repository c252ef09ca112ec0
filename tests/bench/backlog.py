"""A long outage ends: 100,000 actions wait at the kiosk, and drain to a real centre while people go on tapping."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.bench.figures import Figure, ms, percentile
from tests.reliability.chaos_proxy import Behaviour, ChaosProxy, Kind, always
from tests.reliability.ends import Centre

ACTIONS = 100_000
FEW = 2_000
SINGLE = 400
WIRE_S = 0.01  # a wire as there is between a kiosk and a centre elsewhere; loopback has none of what a batch saves
TAPS_AT_REST = 1_500
TAPS_MEANWHILE = 12_000
STEPS = 3  # actions of a person


def measure(directory: Path) -> list[Figure]:
    """Rates, what a tap takes meanwhile, and memory. The kiosk is a process of its own, as its memory is measured."""
    people = (ACTIONS + 3 * FEW + 2 * SINGLE) // STEPS + TAPS_AT_REST + TAPS_MEANWHILE
    centre = Centre(directory / "centre", people)
    slow = ChaosProxy("127.0.0.1", centre.places.central_port, always(Behaviour(Kind.DELAY, pause_s=WIRE_S)))
    try:
        told = _kiosk(directory / "kiosk", centre, slow)
    finally:
        slow.close()
        centre.program.stop()
    rest, meanwhile, beside = told["taps_at_rest"], told["taps_meanwhile"], told["taps_beside"]
    here, there = told["batches_here"] / told["single_here"], told["batches_there"] / told["single_there"]
    return [
        Figure("100,000 actions drain, with taps, in", f"{told['drained_s']:.0f} s"),
        Figure("in batches, loopback", f"{told['batches_here']:.0f} /s"),
        Figure("one request an action, loopback", f"{told['single_here']:.0f} /s"),
        Figure("their ratio, loopback", f"{here:.1f}"),
        Figure("in batches, over 10 ms of wire", f"{told['batches_there']:.0f} /s"),
        Figure("one request an action, over 10 ms of wire", f"{told['single_there']:.0f} /s"),
        Figure("their ratio, over 10 ms of wire", f"{there:.1f}", "≥ 20"),
        Figure("tap at rest, p50", ms(percentile(rest, 0.5))),
        Figure("tap at rest, p99", ms(percentile(rest, 0.99))),
        Figure("tap meanwhile, p50", ms(percentile(meanwhile, 0.5))),
        Figure("tap meanwhile, p99", ms(percentile(meanwhile, 0.99))),
        Figure("tap at a second kiosk that syncs nothing, p50", ms(percentile(beside, 0.5))),
        Figure("tap at a second kiosk that syncs nothing, p99", ms(percentile(beside, 0.99))),
        Figure("tap, p99 meanwhile / at rest", _ratio(meanwhile, rest), "≤ 2"),
        Figure("tap, p99 meanwhile / at the second kiosk", _ratio(meanwhile, beside), "≤ 2"),
        Figure("kiosk, memory while 2,000 drain", f"{told['few_mb']:.1f} MB"),
        Figure("kiosk, memory while 100,000 drain", f"{told['many_mb']:.1f} MB", "no more than with few"),
        Figure("actions that are not there exactly once", str(_wrong(centre, told)), "0"),
    ]


def _kiosk(directory: Path, centre: Centre, slow: ChaosProxy) -> Any:
    directory.mkdir(parents=True)
    ways = [centre.places.central_url, f"http://127.0.0.1:{slow.port}"]
    command = [sys.executable, "-m", "tests.bench.backlog_kiosk", str(directory), *ways]
    command += [centre.enrol_code(), centre.enrol_code()]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def _ratio(taps: list[float], others: list[float]) -> str:
    return f"{percentile(taps, 0.99) / percentile(others, 0.99):.2f}"


def _wrong(centre: Centre, told: Any) -> int:
    """Actions that have no verdict at the kiosk, or whose effect the centre has not, or twice."""
    effects = centre.effects()
    unsettled = sum(told["statuses"].values()) - told["statuses"].get("applied", 0)
    return unsettled + abs(told["actions"] - len(effects)) + sum(times - 1 for times in effects.values())
