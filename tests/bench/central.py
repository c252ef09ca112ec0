"""perform-action at the centre against a bare Flask handler that runs the same SQL, under the same server.

A first run through the real application records every statement with its parameters, request by request. Then two
copies of the database are served: one by the real `kiosk-central run`, the other by a handler that only replays the
statements of its request. The same clients drive both by turns.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import statistics
import sys
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import requests

from kiosk.demo import hospital
from kiosk.demo.hospital import Places, Program
from sync.central.opening import open_centre
from sync.central.server import MAX_SOCKETS
from sync.central.web.app import create_app
from sync.ids import new_id
from sync.websocket.limits import SocketLimits
from tests.bench.figures import Figure, ms, percentile

PATIENTS = 800
ROUNDS = 8
CLIENTS = 4
PATH = "/api/v1/patient-journey/perform-action/"
Statement = tuple[int, str, Any]


def measure(directory: Path) -> list[Figure]:
    """Requests a second of both, their ratio, and the latency of the real centre."""
    directory.mkdir(parents=True)
    places = Places(directory, hospital.free_port(), hospital.free_port())
    _fill(places)
    token = hospital.central_command(places, "token", "--role", "staff", "--name", "tests").strip()
    bodies = [
        {"action_type": "scan_nfc", "action_id": new_id(), "payload": {"patient_id": f"P{number}"}}
        for number in range(PATIENTS)
    ]
    (directory / "statements.json").write_text(json.dumps(_record(directory, bodies, token)), "utf-8")
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
    rates: list[float] = []
    bare_rates: list[float] = []
    latencies: list[float] = []
    share = PATIENTS // ROUNDS
    for number in range(ROUNDS):
        chunk = bodies[number * share : (number + 1) * share]
        bare_rates.append(_drive(bare_places.central_url, token, chunk, number * share, []))
        rates.append(_drive(places.central_url, token, chunk, number * share, latencies))
    central.stop()
    bare.stop()
    ratio = statistics.median(mine / theirs for mine, theirs in zip(rates[1:], bare_rates[1:], strict=True))
    return [
        Figure("perform-action", f"{statistics.median(rates[1:]):.0f} /s"),
        Figure("perform-action, p50", ms(percentile(latencies, 0.5))),
        Figure("perform-action, p99", ms(percentile(latencies, 0.99)), "< 100 ms"),
        Figure("bare handler, the same SQL", f"{statistics.median(bare_rates[1:]):.0f} /s"),
        Figure("perform-action / bare", f"{ratio * 100:.0f} %", "≥ 80 %"),
    ]


def _fill(places: Places) -> None:
    today = datetime.now(ZoneInfo("Asia/Seoul")).date().isoformat()
    document = {
        "site": {"name": "Bench", "desk": "DESK"},
        "exams": [
            {"exam_id": "DESK", "title": "Reception", "public_label": "접수", "room": "1"},
            {"exam_id": "XRAY", "title": "X-ray", "public_label": "영상 촬영", "room": "3"},
        ],
        "patients": [{"patient_id": f"P{n}", "name": f"가나다{n}", "cards": [f"04{n:012x}"]} for n in range(PATIENTS)],
        "appointments": [
            {"appointment_id": f"A{n}", "patient_id": f"P{n}", "exam_id": "XRAY", "scheduled_at": f"{today}T23:00"}
            for n in range(PATIENTS)
        ],
    }
    file = places.directory / "hospital.json"
    file.write_text(json.dumps(document), "utf-8")
    hospital.central_command(places, "import", str(file))


def _record(directory: Path, bodies: list[dict[str, Any]], token: str) -> list[list[Statement]]:
    """Records the statements of each request, through the whole application, on a temporary copy."""
    copy = directory / "recording"
    shutil.copytree(directory, copy, ignore=shutil.ignore_patterns("recording"))
    seen: list[Statement] = []

    class Recording(sqlite3.Connection):
        def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
            seen.append((0, sql, parameters))
            return super().execute(sql, parameters)

        def executemany(self, sql: str, parameters: Any) -> sqlite3.Cursor:
            rows = list(parameters)
            seen.append((1, sql, rows))
            return super().executemany(sql, rows)

    plain = sqlite3.connect
    sqlite3.connect = lambda *args, **options: plain(*args, factory=Recording, **options)  # type: ignore[assignment]
    try:
        centre = open_centre(f"sqlite:///{copy / 'central.db'}")
        client = create_app(centre, SocketLimits(MAX_SOCKETS)).test_client()
        requests_seen = []
        for body in bodies:
            seen.clear()
            answer = client.post(PATH, json=body, headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == 200, answer.text
            requests_seen.append(list(seen))
        centre.store.close()
    finally:
        sqlite3.connect = plain
        shutil.rmtree(copy)
    return requests_seen


def _drive(url: str, token: str, bodies: list[dict[str, Any]], first: int, latencies: list[float]) -> float:
    """Requests a second of a few clients that keep their connections open."""
    lock = threading.Lock()
    left = list(enumerate(bodies, first))
    gate = threading.Barrier(CLIENTS + 1)

    def run() -> None:
        with requests.Session() as session:
            session.trust_env = False
            session.headers["Authorization"] = f"Bearer {token}"
            session.get(f"{url}/healthz", timeout=10)
            gate.wait()
            while True:
                with lock:
                    if not left:
                        break
                    number, body = left.pop()
                begin = time.perf_counter()
                answer = session.post(url + PATH, json=body, headers={"X-Number": str(number)}, timeout=30)
                latencies.append(time.perf_counter() - begin)
                assert answer.status_code == 200, answer.text

    threads = [threading.Thread(target=run) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    gate.wait()
    begin = time.perf_counter()
    for thread in threads:
        thread.join()
    return len(bodies) / (time.perf_counter() - begin)
