"""How fast a document of a hundred thousand patients is taken, and what an action waits for meanwhile."""

from __future__ import annotations

import csv
import json
import threading
import time
from pathlib import Path

import requests

from kiosk.demo import hospital
from kiosk.demo.hospital import Places
from tests.bench.figures import Figure, ms, percentile

PATIENTS = 100_000
ACTING = 10  # patients whom staff act for meanwhile, one action every 20 ms
PATH = "/api/v1/patient-journey/perform-action/"


def measure(directory: Path, patients: int = PATIENTS) -> list[Figure]:
    """The time of `kiosk-central import` with a running service, for a new document and for the same one again."""
    directory.mkdir(parents=True)
    places = Places(directory, hospital.free_port(), hospital.free_port())
    _fill(places)
    document = _document(directory, patients)
    token = hospital.central_command(places, "token", "--role", "staff", "--name", "bench").strip()
    central = hospital.start_central(places)
    central.await_health()
    new, again = (_beside(places, token, document) for _ in range(2))
    central.stop()
    return [
        Figure(f"{patients} patients with their cards are taken from a file of CSV", *_said(*new)),
        Figure("the same document again, which changes nothing", *_said(*again)),
    ]


def _fill(places: Places) -> None:
    document = {
        "site": {"name": "Bench", "desk": "DESK"},
        "exams": [{"exam_id": "DESK", "title": "Reception", "public_label": "접수", "room": "1"}],
        "patients": [{"patient_id": f"S{number}", "name": f"Sample {number}"} for number in range(ACTING)],
    }
    file = places.directory / "hospital.json"
    file.write_text(json.dumps(document), "utf-8")
    hospital.central_command(places, "import", str(file))


def _document(directory: Path, patients: int) -> Path:
    document = directory / "patients.csv"
    with document.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("patient_id", "name", "birth_date", "cards"))
        rows.writerows(
            (f"P{number}", f"가나다{number}", "1970-01-01", f"04{number:012x}") for number in range(patients)
        )
    return document


def _beside(places: Places, token: str, document: Path) -> tuple[float, list[float]]:
    """The seconds of an import, and those that each action of staff took meanwhile."""
    waits_s: list[float] = []
    is_over = threading.Event()
    acting = threading.Thread(target=_act, args=(f"{places.central_url}{PATH}", token, is_over, waits_s))
    acting.start()
    began_s = time.perf_counter()
    hospital.central_command(places, "import", str(document))
    took_s = time.perf_counter() - began_s
    is_over.set()
    acting.join()
    return took_s, waits_s


def _act(url: str, token: str, is_over: threading.Event, waits_s: list[float]) -> None:
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = f"Bearer {token}"
        number = 0
        while not is_over.wait(0.02):
            number += 1
            body = {"action_type": "scan_nfc", "payload": {"patient_id": f"S{number % ACTING}"}}
            began_s = time.perf_counter()
            session.post(url, json=body, timeout=60)
            waits_s.append(time.perf_counter() - began_s)


def _said(took_s: float, waits_s: list[float]) -> tuple[str, str]:
    worst = f"an action took {ms(percentile(waits_s, 0.99))} (p99), {ms(max(waits_s))} at most"
    return f"{took_s:.1f} s", f"≤ 30 s; {worst}"
