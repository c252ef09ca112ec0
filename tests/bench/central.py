"""perform-action at the centre against a bare Flask handler that runs the same SQL, under the same server.

A first run through the real application records every statement with its parameters, request by request. Then two
copies of the database are served: one by the real `kiosk-central run`, the other by a handler that only replays the
statements of its request. The same clients drive both by turns. The bare handler commits each request by itself.
"""

from __future__ import annotations

import json
import shutil
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kiosk.demo import hospital
from kiosk.demo.hospital import Places, Program
from sync.ids import new_id
from tests.bench.client import Job, Run, drive
from tests.bench.figures import Figure, ms, percentile
from tests.bench.recorded import PATH, fill, record
from tests.sync.central.centre import Centre
from tests.sync.central.statements import MOST, count_way

ROUNDS = 17  # short ones, since other work on the machine comes and goes; the first one warms up
A_ROUND = {1: 40, 8: 80, 32: 160}  # requests of a round, by the number of clients
PATIENTS = ROUNDS * sum(A_ROUND.values())
Body = dict[str, Any]


def measure(directory: Path) -> list[Figure]:
    """Requests a second of both and their ratio, with 1, 8 and 32 clients; the statements of each action."""
    directory.mkdir(parents=True)
    places = Places(directory, hospital.free_port(), hospital.free_port())
    fill(places, PATIENTS)
    token = hospital.central_command(places, "token", "--role", "staff", "--name", "tests").strip()
    bodies = [
        {"action_type": "scan_nfc", "action_id": new_id(), "payload": {"patient_id": f"P{number}"}}
        for number in range(PATIENTS)
    ]
    (directory / "statements.json").write_text(json.dumps(record(directory, bodies, token)), "utf-8")
    bare_places = Places(directory / "bare", hospital.free_port(), 0)
    shutil.copytree(directory, bare_places.directory, ignore=shutil.ignore_patterns("bare", "*.sock", "*.lock"))
    central = hospital.start_central(places)
    bare = Program(
        "bare handler",
        [sys.executable, "-m", "tests.bench.bare", str(bare_places.directory), str(bare_places.central_port)],
        directory / "bare.log",
        f"{bare_places.central_url}/healthz",
    )
    central.await_health()
    bare.await_health()
    pairs: dict[int, list[tuple[Run, Run]]] = {clients: [] for clients in A_ROUND}
    first = 0
    for turn in range(ROUNDS):
        for clients, number in A_ROUND.items():
            chunk = bodies[first : first + number]
            ports = (places.central_port, bare_places.central_port)
            runs = {
                port: drive(Job(port, PATH, token, clients, first, chunk))
                for port in (ports if turn % 2 else ports[::-1])
            }
            pairs[clients].append((runs[ports[0]], runs[ports[1]]))
            first += number
    central.stop()
    bare.stop()
    figures = [figure for clients, runs in pairs.items() for figure in _compared(clients, runs[1:])]
    return [*figures, *_statements(directory / "counted")]


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


def _statements(directory: Path) -> list[Figure]:
    directory.mkdir()
    centre = Centre(directory)
    counts = count_way(centre)
    centre.store.close()
    names = {f"statements of {action}, by {role}": count for (role, action), count in counts.items()}
    return [Figure(name, str(count), f"≤ {MOST}") for name, count in names.items()]
