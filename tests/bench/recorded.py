"""A centre to measure, and the statements of its requests: what a bare handler has to run for the same work."""

from __future__ import annotations

import json
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from kiosk.demo import hospital
from kiosk.demo.hospital import Places
from sync.central.opening import open_centre
from sync.central.web.app import create_app
from sync.central.web.socket_places import SocketPlaces
from tests.bench.recording import recording

PATH = "/api/v1/patient-journey/perform-action/"
Statement = tuple[int, str, Any]


def fill(places: Places, patients: int) -> None:
    """Makes a centre with so many patients, P0 to the last, each booked for an exam today."""
    today = datetime.now(ZoneInfo("Asia/Seoul")).date().isoformat()
    document = {
        "site": {"name": "Bench", "desk": "DESK"},
        "exams": [
            {"exam_id": "DESK", "title": "Reception", "public_label": "접수", "room": "1"},
            {"exam_id": "XRAY", "title": "X-ray", "public_label": "영상 촬영", "room": "3"},
        ],
        "patients": [{"patient_id": f"P{n}", "name": f"가나다{n}", "cards": [f"04{n:012x}"]} for n in range(patients)],
        "appointments": [
            {"appointment_id": f"A{n}", "patient_id": f"P{n}", "exam_id": "XRAY", "scheduled_at": f"{today}T23:00"}
            for n in range(patients)
        ],
    }
    file = places.directory / "hospital.json"
    file.write_text(json.dumps(document), "utf-8")
    hospital.central_command(places, "import", str(file))


def record(directory: Path, bodies: list[dict[str, Any]], token: str) -> list[list[Statement]]:
    """Records the statements of each request, through the whole application, on a temporary copy."""
    copy = directory / "recording"
    shutil.copytree(directory, copy, ignore=shutil.ignore_patterns("recording"))
    seen: list[Statement] = []

    with recording(lambda many, sql, given: seen.append((int(many), sql, given))):
        centre = open_centre(f"sqlite:///{copy / 'central.db'}")
        client = create_app(centre, SocketPlaces()).test_client()
        requests_seen = []
        for body in bodies:
            seen.clear()
            answer = client.post(PATH, json=body, headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == 200, answer.text
            requests_seen.append(list(seen))
        centre.store.close()
    shutil.rmtree(copy)
    return requests_seen
