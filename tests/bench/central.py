"""perform-action at the centre against a bare Flask handler that runs the same SQL, under the same server.

A first run through the real application records every statement with its parameters, request by request. Then two
copies of the database are served: one by the real `kiosk-central run`, the other by a handler that only replays the
statements of its request. The same clients drive both by turns. The bare handler commits each request by itself.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from kiosk.demo import hospital
from kiosk.demo.hospital import Places, Program
from sync.ids import new_id
from tests.bench.by_turns import REQUESTS, by_turns
from tests.bench.figures import Figure
from tests.bench.recorded import fill, record
from tests.sync.central.centre import Centre
from tests.sync.central.statements import MOST, count_way


def measure(directory: Path) -> list[Figure]:
    """Requests a second of both and their ratio, with 1, 8 and 32 clients; the statements of each action."""
    directory.mkdir(parents=True)
    places = Places(directory, hospital.free_port(), hospital.free_port())
    fill(places, REQUESTS)
    token = hospital.central_command(places, "token", "--role", "staff", "--name", "tests").strip()
    bodies = [
        {"action_type": "scan_nfc", "action_id": new_id(), "payload": {"patient_id": f"P{number}"}}
        for number in range(REQUESTS)
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
    figures = by_turns((places.central_port, bare_places.central_port), token, bodies)
    central.stop()
    bare.stop()
    return [*figures, *_statements(directory / "counted")]


def _statements(directory: Path) -> list[Figure]:
    directory.mkdir()
    centre = Centre(directory)
    counts = count_way(centre)
    centre.store.close()
    names = {f"statements of {action}, by {role}": count for (role, action), count in counts.items()}
    return [Figure(name, str(count), f"≤ {MOST}") for name, count in names.items()]
