"""The end of a long outage: 100,000 actions wait at the kiosk and drain to a real centre while people tap."""

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
WIRE_S = 0.01  # a wire to a centre elsewhere; on loopback a batch saves next to nothing
TAPS_AT_REST = 1_500
TAPS_MEANWHILE = 12_000
STEPS = 3  # actions of one person


def measure(directory: Path) -> list[Figure]:
    """Rates, the duration of a tap during the drain, and memory. The kiosk is a process of its own."""
    people = (ACTIONS + 3 * FEW + 2 * SINGLE) // STEPS + TAPS_AT_REST + TAPS_MEANWHILE
    centre = Centre(directory / "centre", people)
    slow = ChaosProxy("127.0.0.1", centre.places.central_port, always(Behaviour(Kind.DELAY, pause_s=WIRE_S)))
    try:
        measured = _kiosk(directory / "kiosk", centre, slow)
    finally:
        slow.close()
        centre.program.stop()
    rest, meanwhile, beside = measured["taps_at_rest"], measured["taps_meanwhile"], measured["taps_beside"]
    here, there = (
        measured["batches_here"] / measured["single_here"],
        measured["batches_there"] / measured["single_there"],
    )
    return [
        Figure("100,000 actions drain, with taps, in", f"{measured['drained_s']:.0f} s"),
        Figure("in batches, loopback", f"{measured['batches_here']:.0f} /s"),
        Figure("one request an action, loopback", f"{measured['single_here']:.0f} /s"),
        Figure("their ratio, loopback", f"{here:.1f}"),
        Figure("in batches, over 10 ms of wire", f"{measured['batches_there']:.0f} /s"),
        Figure("one request an action, over 10 ms of wire", f"{measured['single_there']:.0f} /s"),
        Figure("their ratio, over 10 ms of wire", f"{there:.1f}", "≥ 20"),
        Figure("tap at rest, p50", ms(percentile(rest, 0.5))),
        Figure("tap at rest, p99", ms(percentile(rest, 0.99))),
        Figure("tap meanwhile, p50", ms(percentile(meanwhile, 0.5))),
        Figure("tap meanwhile, p99", ms(percentile(meanwhile, 0.99))),
        Figure("tap at a second kiosk that syncs nothing, p50", ms(percentile(beside, 0.5))),
        Figure("tap at a second kiosk that syncs nothing, p99", ms(percentile(beside, 0.99))),
        Figure("tap, p99 meanwhile / at rest", _ratio(meanwhile, rest), "≤ 2"),
        Figure("tap, p99 meanwhile / at the second kiosk", _ratio(meanwhile, beside), "≤ 2"),
        Figure("kiosk, memory while 2,000 drain", f"{measured['few_mb']:.1f} MB"),
        Figure("kiosk, memory while 100,000 drain", f"{measured['many_mb']:.1f} MB", "no more than with few"),
        Figure("actions that are not there exactly once", str(_wrong(centre, measured)), "0"),
    ]


def _kiosk(directory: Path, centre: Centre, slow: ChaosProxy) -> Any:
    directory.mkdir(parents=True)
    ways = [centre.places.central_url, f"http://127.0.0.1:{slow.port}"]
    command = [sys.executable, "-m", "tests.bench.backlog_kiosk", str(directory), *ways]
    command += [centre.enrol_code(), centre.enrol_code()]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def _ratio(taps: list[float], others: list[float]) -> str:
    return f"{percentile(taps, 0.99) / percentile(others, 0.99):.2f}"


def _wrong(centre: Centre, measured: Any) -> int:
    """The number of actions without a verdict at the kiosk, or without exactly one effect at the centre."""
    effects = centre.effects()
    unsettled = sum(measured["statuses"].values()) - measured["statuses"].get("applied", 0)
    return unsettled + abs(measured["actions"] - len(effects)) + sum(times - 1 for times in effects.values())
