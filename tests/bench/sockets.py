"""How soon a patient's own socket hears of an action, beside a bare flask-sock; what sockets cost; when boards hear."""

from __future__ import annotations

import json
import resource
import shutil
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kiosk.demo import hospital
from kiosk.demo.hospital import Places, Program
from sync.central.opening import open_centre
from sync.central.records.tokens import issue
from sync.central.web.socket_places import MAX_SOCKETS, SOCKETS_OF_A_TOKEN
from sync.clock import now_ms
from sync.ids import new_id
from sync.journey.model import Role
from tests.bench.figures import Figure, ms, percentile
from tests.bench.processes import family, rss_mb
from tests.bench.raw import Client, WebSocket
from tests.bench.recorded import fill, record

OPEN = (64, 200)
ROUNDS = 5  # by turns; each socket hears of one action in each
BOARDS = 200
BOARD_ROUNDS = 10
Body = dict[str, Any]


def measure(directory: Path) -> list[Figure]:
    """Latencies of both by turns, memory of many sockets, and boards that follow one patient."""
    directory.mkdir(parents=True)
    resource.setrlimit(resource.RLIMIT_NOFILE, (2 * MAX_SOCKETS + 500, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    places = Places(directory, hospital.free_port(), hospital.free_port())
    patients = ROUNDS * sum(OPEN) + BOARD_ROUNDS
    fill(places, patients)
    staff = _tokens(places, 2 + MAX_SOCKETS // SOCKETS_OF_A_TOKEN)
    bodies = [_action(f"P{number}") for number in range(ROUNDS * sum(OPEN))]
    (directory / "statements.json").write_text(json.dumps(record(directory, bodies, staff[0])), "utf-8")
    bare_places = Places(directory / "bare", hospital.free_port(), 0)
    shutil.copytree(directory, bare_places.directory, ignore=shutil.ignore_patterns("bare", "*.sock", "*.lock"))
    central = hospital.start_central(places)
    words = [sys.executable, "-m", "tests.bench.bare_socket", str(bare_places.directory), str(bare_places.central_port)]
    bare = Program("bare socket", words, directory / "bare.log", f"{bare_places.central_url}/healthz")
    central.await_health()
    bare.await_health()
    try:
        figures = [*_compared(places.central_port, bare_places.central_port, staff, bodies)]
        bare.stop()
        figures += _boards(places.central_port, staff, patients)
        figures += _crowd(central, places.central_port, staff)
    finally:
        central.stop()
    return figures


def _compared(mine: int, bare: int, staff: list[str], bodies: list[Body]) -> Iterator[Figure]:
    first = 0
    for number in OPEN:
        ratios: dict[float, list[float]] = {0.5: [], 0.99: []}
        all_mine: list[float] = []
        for _ in range(ROUNDS):
            chunk = bodies[first : first + number]
            theirs_s = _hear(bare, staff, chunk, first)
            mine_s = _hear(mine, staff, chunk, first)
            all_mine += mine_s
            for share, found in ratios.items():
                found.append(percentile(mine_s, share) / percentile(theirs_s, share))
            first += number
        bars = "≤ 2, ≤ 6 ms on a quiet machine" if number == 200 else ""
        p50, p99 = percentile(all_mine, 0.5), percentile(all_mine, 0.99)
        yield Figure(f"action → own socket, {number} sockets, p50, p99", f"{ms(p50)}, {ms(p99)}", bars)
        both = ", ".join(f"{statistics.median(found):.2f}" for found in ratios.values())
        yield Figure("  ÷ a bare flask-sock with the same SQL, p50, p99", both, "≤ 1.2, ≤ 1.2")


def _hear(port: int, staff: list[str], bodies: list[Body], first: int) -> list[float]:
    """The seconds from each action until its patient's socket has the news."""
    sockets = [
        WebSocket(port, staff[n // SOCKETS_OF_A_TOKEN], str(body["payload"]["patient_id"]))
        for n, body in enumerate(bodies)
    ]
    assert {each.await_open() for each in sockets} == {101}
    heard_s = []
    for number, (body, socket) in enumerate(zip(bodies, sockets, strict=True), first):
        client = Client(port, staff[0])  # Werkzeug closes a connection after each answer
        began_s = time.perf_counter()
        client.act(number, body)
        socket.next()
        heard_s.append(time.perf_counter() - began_s)
        client.close()
    for each in sockets:
        each.socket.close()
    return heard_s


def _boards(port: int, staff: list[str], patients: int) -> Iterator[Figure]:
    """Boards of several tokens that follow one patient: until the last of them has a change."""
    worst_s = []
    for number in range(patients - BOARD_ROUNDS, patients):
        patient_id = f"P{number}"
        boards = [WebSocket(port, staff[n // SOCKETS_OF_A_TOKEN], patient_id) for n in range(BOARDS)]
        assert {each.await_open() for each in boards} == {101}
        client = Client(port, staff[0])
        began_s = time.perf_counter()
        client.act(0, _action(patient_id))
        for each in boards:
            each.next()
        worst_s.append(time.perf_counter() - began_s)
        client.close()
        for each in boards:
            each.socket.close()
    name = f"action → each of {BOARDS} boards, median and longest of {BOARD_ROUNDS}"
    yield Figure(name, f"{ms(statistics.median(worst_s))}, {ms(max(worst_s))}", "≤ 100 ms")


def _crowd(central: Program, port: int, staff: list[str]) -> Iterator[Figure]:
    rest = [rss_mb(pid) for pid in family(central.process.pid)]
    sockets: list[WebSocket] = []
    for number in range(MAX_SOCKETS):
        sockets.append(WebSocket(port, staff[number // SOCKETS_OF_A_TOKEN], "P0"))
        assert sockets[-1].await_open() == 101
    full = [rss_mb(pid) for pid in family(central.process.pid)]
    refused = WebSocket(port, staff[-1], "P0").await_open()
    yield Figure("memory at rest, gateway and worker", ", ".join(f"{each:.0f} MB" for each in rest), "≤ 128 MB")
    each_kib = 1024 * (sum(full) - sum(rest)) / MAX_SOCKETS
    yield Figure(f"memory of each of {MAX_SOCKETS} sockets", f"{each_kib:.1f} KiB", "≤ 64 KiB")
    yield Figure("the next socket, before the upgrade", str(refused), "503")
    for each in sockets:
        each.socket.close()


def _action(patient_id: str) -> Body:
    return {"action_type": "scan_nfc", "action_id": new_id(), "payload": {"patient_id": patient_id}}


def _tokens(places: Places, number: int) -> list[str]:
    centre = open_centre(places.database, create=False)
    with centre.store.write() as db:
        made = [issue(db, Role.STAFF, now_ms(), name=f"board {n}") for n in range(number)]
    centre.store.close()
    return made
