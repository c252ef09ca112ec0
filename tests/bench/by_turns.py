"""Two servers that do the same work, driven by the same clients by turns."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from tests.bench.client import Job, Run, drive
from tests.bench.figures import Figure, ms, percentile
from tests.bench.recorded import PATH

ROUNDS = 17  # short ones, since other work on the machine comes and goes; the first one warms up
A_ROUND = {1: 40, 8: 80, 32: 160}  # requests of a round, by the number of clients
REQUESTS = ROUNDS * sum(A_ROUND.values())
Body = dict[str, Any]


def by_turns(ports: tuple[int, int], token: str, bodies: Sequence[Body]) -> list[Figure]:
    """Requests a second of the centre and of the bare handler at these ports, and their ratio, for 1, 8, 32 clients."""
    pairs: dict[int, list[tuple[Run, Run]]] = {clients: [] for clients in A_ROUND}
    first = 0
    for turn in range(ROUNDS):
        for clients, number in A_ROUND.items():
            chunk = bodies[first : first + number]
            runs = {
                port: drive(Job(port, PATH, token, clients, first, chunk))
                for port in (ports if turn % 2 else ports[::-1])
            }
            pairs[clients].append((runs[ports[0]], runs[ports[1]]))
            first += number
    return [figure for clients, runs in pairs.items() for figure in _compared(clients, runs[1:])]


def _compared(clients: int, runs: Sequence[tuple[Run, Run]]) -> list[Figure]:
    latencies = [latency for mine, _ in runs for latency in mine.latencies]
    ratio = statistics.median(mine.rate / theirs.rate for mine, theirs in runs)
    name = f"perform-action, {clients} clients" if clients > 1 else "perform-action, 1 client"
    return [
        Figure(name, f"{statistics.median(mine.rate for mine, _ in runs):.0f} /s"),
        Figure("  p50, p99", f"{ms(percentile(latencies, 0.5))}, {ms(percentile(latencies, 0.99))}"),
        Figure("  bare handler, the same SQL", f"{statistics.median(theirs.rate for _, theirs in runs):.0f} /s"),
        Figure("  perform-action / bare", f"{ratio * 100:.0f} %", "≥ 85 %"),
    ]
