"""perform-action over HTTP and over an open socket, side by side: the same centre, clients and moments.

Clients are threads that wait for each answer before they act again. The channels take turns, and each action is on a
patient of its own.
"""

from __future__ import annotations

import itertools
import json
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kiosk.demo import hospital
from kiosk.demo.hospital import Places
from sync.ids import new_id
from tests.bench.figures import Figure, ms, percentile
from tests.bench.raw import Client, WebSocket
from tests.bench.recorded import fill

CLIENTS = (1, 8, 32)
ROUNDS = 9  # of each channel; the first one warms up
ACTIONS = 96  # of a round
_WATCHED = "P0"  # each socket follows this patient, on whom nobody acts
_FIRST = 1
Body = dict[str, Any]
Act = Callable[[Body], None]


def measure(directory: Path) -> list[Figure]:
    """Latencies of both channels, with 1, 8 and 32 clients."""
    directory.mkdir(parents=True)
    places = Places(directory, hospital.free_port(), hospital.free_port())
    fill(places, _FIRST + 2 * ROUNDS * ACTIONS * len(CLIENTS))
    token = hospital.central_command(places, "token", "--role", "staff", "--name", "bench").strip()
    central = hospital.start_central(places)
    central.await_health()
    bodies = (_scan(f"P{number}") for number in itertools.count(_FIRST))
    try:
        return [figure for clients in CLIENTS for figure in _compared(places.central_port, token, clients, bodies)]
    finally:
        central.stop()


def _compared(port: int, token: str, clients: int, bodies: Iterator[Body]) -> list[Figure]:
    connections = [Client(port, token) for _ in range(clients)]
    sockets = [WebSocket(port, token, _WATCHED) for _ in range(clients)]
    assert {each.await_open() for each in sockets} == {101}
    channels: dict[str, list[Act]] = {
        "HTTP": [lambda body, each=each: each.act(0, body) for each in connections],  # type: ignore[misc]
        "socket": [lambda body, each=each: _act(each, body) for each in sockets],  # type: ignore[misc]
    }
    found: dict[str, list[list[float]]] = {name: [] for name in channels}
    for turn in range(ROUNDS):
        for name in sorted(channels, reverse=turn % 2 == 1):
            found[name].append(_drive(channels[name], [next(bodies) for _ in range(ACTIONS)]))
    for each in connections:
        each.close()
    for socket in sockets:
        socket.socket.close()
    return list(_figures(clients, {name: rounds[1:] for name, rounds in found.items()}))


def _figures(clients: int, found: dict[str, list[list[float]]]) -> Iterator[Figure]:
    whose = "1 client" if clients == 1 else f"{clients} clients"
    for name, rounds in found.items():
        all_s = [each for round_ in rounds for each in round_]
        both = ", ".join(ms(percentile(all_s, share)) for share in (0.5, 0.99))
        yield Figure(f"perform-action by {name}, {whose}, p50, p99", both)
    pairs = zip(found["socket"], found["HTTP"], strict=True)
    ratio = statistics.median(percentile(socket, 0.5) / percentile(http, 0.5) for socket, http in pairs)
    yield Figure("  socket ÷ HTTP, p50, median of the rounds", f"{ratio:.2f}")


def _drive(acts: list[Act], bodies: list[Body]) -> list[float]:
    """The seconds of each action, by as many clients as there are ways to act."""
    taken, latencies = iter(bodies), []
    lock = threading.Lock()

    def client(act: Act) -> None:
        while True:
            with lock:
                body = next(taken, None)
            if body is None:
                return
            began_s = time.perf_counter()
            act(body)
            latencies.append(time.perf_counter() - began_s)

    threads = [threading.Thread(target=client, args=(act,)) for act in acts]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return latencies


def _act(socket: WebSocket, body: Body) -> None:
    socket.send(json.dumps({"command": "perform_action", **body}))
    answer = json.loads(socket.next())
    assert (answer["type"], answer["success"]) == ("action_result", True), answer


def _scan(patient_id: str) -> Body:
    return {"action_type": "scan_nfc", "action_id": new_id(), "payload": {"patient_id": patient_id}}
