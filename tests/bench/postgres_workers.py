"""What a second and a third worker bring, and where the processors of the machine go meanwhile.

The same centre on one private PostgreSQL (`fsync` on) is served by one, two and three workers by turns. Many bearers
act and read, so that their calls spread over the workers. The client is a process of its own.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kiosk.demo import hospital
from kiosk.demo.hospital import Places, Program, command_of
from sync.central.opening import open_centre
from sync.central.records.tokens import issue
from sync.ids import new_id
from sync.journey.model import Role
from tests.bench.client import Run, get, post, send
from tests.bench.figures import Figure, ms, percentile
from tests.bench.postgres import Copy, copy_centre
from tests.bench.processes import children, cpu_of_family_s, cpu_s, machine_s
from tests.bench.recorded import PATH, fill
from tests.sync.central.databases import Cluster, cluster

WORKERS = (1, 2, 3)
TURNS = 3
CLIENTS = (8, 32)
REQUESTS = 800  # of one run
WARM_UP = 100
BEARERS = 64  # staff who act; as many patients read
STATE_PATH = "/api/v1/patient-journey/current-state/"
ACTION, READ = "perform-action", "current-state"
A_TURN = WARM_UP + REQUESTS * len(CLIENTS)  # patients, each acted on once


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: what the client saw, the processor time of each part for one request (s), and the processors left.

    `others` is what programs that have no part in this used, `idle` what nobody used: 1 is one processor all the time.
    """

    run: Run
    spent_s: Mapping[str, float]
    others: float
    idle: float


class _Requests:
    """The requests of the whole measurement. No patient is acted on twice."""

    def __init__(self, staff: list[str], patients: list[str]) -> None:
        self._staff = staff
        self._patients = patients
        self._acted = 0

    def actions(self, number: int) -> list[str]:
        first, self._acted = self._acted, self._acted + number
        return [
            post(
                PATH,
                self._staff[n % BEARERS],
                {"action_type": "scan_nfc", "action_id": new_id(), "payload": {"patient_id": f"P{n}"}},
            )
            for n in range(first, self._acted)
        ]

    def reads(self, number: int) -> list[str]:
        return [get(STATE_PATH, self._patients[n % BEARERS]) for n in range(number)]


def measure(directory: Path) -> list[Figure]:
    """Requests a second with each number of workers, against one worker, and the processors that each part used."""
    directory.mkdir(parents=True)
    places = Places(directory, hospital.free_port(), 0)
    fill(places, TURNS * len(WORKERS) * A_TURN)
    requests = _Requests(*_tokens(places))
    found: dict[tuple[str, int, int], list[Measured]] = {}
    with cluster(durable=True) as server, server.bare() as url:
        copy = Copy(url, directory / "state")
        copy_centre(places, copy)
        for turn in range(TURNS):
            for workers in WORKERS if turn % 2 else WORKERS[::-1]:
                for kind, clients, measured in _serve(places, copy, server, workers, requests):
                    found.setdefault((kind, clients, workers), []).append(measured)
    return [
        figure
        for kind in (ACTION, READ)
        for clients in CLIENTS
        for workers in WORKERS
        for figure in _figures(kind, clients, workers, found)
    ]


def _serve(
    places: Places, copy: Copy, server: Cluster, workers: int, requests: _Requests
) -> Iterator[tuple[str, int, Measured]]:
    """Serves with so many workers, and runs each kind once."""
    port = places.central_port
    words = ["run", "--database", copy.url, "--state-dir", str(copy.state_dir), "--workers", str(workers)]
    command = [*command_of("kiosk-central"), *words, "--listen", f"127.0.0.1:{port}"]
    central = Program("centre", command, places.directory / "centre.log", f"{places.central_url}/healthz")
    central.await_health()
    try:
        send(port, 8, requests.reads(WARM_UP))  # waits for each worker
        send(port, 8, requests.actions(WARM_UP))
        for clients in CLIENTS:
            yield ACTION, clients, _run(central.process.pid, server.pid, port, clients, requests.actions(REQUESTS))
            yield READ, clients, _run(central.process.pid, server.pid, port, clients, requests.reads(REQUESTS))
    finally:
        central.stop()


def _run(gateway: int, server: int, port: int, clients: int, requests: list[str]) -> Measured:
    def spent() -> dict[str, float]:
        workers = {f"worker {place}": cpu_s(pid) for place, pid in enumerate(children(gateway))}
        return {"gateway": cpu_s(gateway), **workers, "PostgreSQL": cpu_of_family_s(server)}

    before, machine_before, began_s = spent(), machine_s(), time.monotonic()
    run = send(port, clients, requests)
    took_s = time.monotonic() - began_s
    spent_s = {name: after - before[name] for name, after in spent().items()}
    busy_s, idle_s = (after - earlier for earlier, after in zip(machine_before, machine_s(), strict=True))
    others = max(0.0, (busy_s - sum(spent_s.values())) / took_s - run.processors)
    return Measured(run, {name: each / len(requests) for name, each in spent_s.items()}, others, idle_s / took_s)


def _figures(
    kind: str, clients: int, workers: int, found: Mapping[tuple[str, int, int], list[Measured]]
) -> Iterator[Figure]:
    mine, alone = found[kind, clients, workers], found[kind, clients, 1]
    rate = statistics.median(each.run.rate for each in mine)
    latencies = [latency for each in mine for latency in each.run.latencies]
    name = f"{kind}, {clients} clients, {workers} worker{'s' if workers > 1 else ''}"
    yield Figure(name, f"{rate:.0f} /s")
    yield Figure("  p50, p99", f"{ms(percentile(latencies, 0.5))}, {ms(percentile(latencies, 0.99))}")
    if workers > 1:
        ratio = statistics.median(a.run.rate / b.run.rate for a, b in zip(mine, alone, strict=True))
        yield Figure("  ÷ one worker", f"{ratio:.2f}", "≥ 1.6 with two, where cores allow" if workers == 2 else "")
    spent_s = {part: statistics.median(each.spent_s[part] for each in mine) for part in mine[0].spent_s}
    used = {part: each_s * rate for part, each_s in spent_s.items()}
    used["client"] = statistics.median(each.run.processors for each in mine)
    used["other programs"] = statistics.median(each.others for each in mine)
    used["idle"] = statistics.median(each.idle for each in mine)
    yield Figure(f"  the {os.cpu_count()} processors", ", ".join(f"{part} {share:.2f}" for part, share in used.items()))
    yield Figure("  processor time of a request", ", ".join(f"{part} {ms(each)}" for part, each in spent_s.items()))


def _tokens(places: Places) -> tuple[list[str], list[str]]:
    """Tokens of staff, and of the first patients."""
    centre = open_centre(places.database, create=False)
    at_ms = centre.clock()
    with centre.store.write() as db:
        staff = [issue(db, Role.STAFF, at_ms, name=f"desk {n}") for n in range(BEARERS)]
        patients = [issue(db, Role.PATIENT, at_ms, patient_id=f"P{n}") for n in range(BEARERS)]
    centre.store.close()
    return staff, patients
