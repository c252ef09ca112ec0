"""How fast a large centre moves the rows of a wrong day to the right one, and what an action waits for meanwhile.

The database holds many patients whose journeys and bookings are of a later day, as a clock ahead of time leaves them.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from sync.central.centre import Centre
from sync.central.imports.whole import read_hospital, take_hospital
from sync.central.maintenance.housekeeping import close_days, correct_all_future_days
from sync.central.opening import open_centre
from sync.central.services.perform_action import perform
from sync.central.services.requester import Requester
from sync.central.services.requests import ActionRequest
from sync.clock import local_ms
from sync.ids import new_id
from sync.journey.model import STAFF
from sync.text import fold
from tests.bench.figures import Figure, ms, percentile

PATIENTS = 60_000
DAY, LATER, LATEST, PAST = "2026-03-02", "2026-03-05", "2026-03-09", "2026-03-10"


def measure(directory: Path, patients: int = PATIENTS) -> list[Figure]:
    """The time to correct every later day, and to end every day; and the longest that an action waited meanwhile."""
    directory.mkdir(parents=True)
    fill(f"sqlite:///{directory}/centre.db", patients)
    shutil.copy(directory / "centre.db", directory / "other.db")
    shutil.copy(directory / "centre.db.keys", directory / "other.db.keys")
    ahead = beside(f"sqlite:///{directory}/centre.db", DAY, correct_all_future_days)
    ended = beside(f"sqlite:///{directory}/other.db", PAST, close_days)
    return [
        Figure(f"{patients} patients of a later day are moved to today", *said(*ahead)),
        Figure(f"the day of {patients} patients ends", *said(*ended)),
    ]


def fill(url: str, patients: int) -> None:
    """Makes a hospital whose patients all wait and are booked on a later day."""
    centre = open_centre(url)
    numbers = range(patients)
    exams = [{"exam_id": "desk", "title": "Desk", "public_label": "Desk"}]
    hospital = read_hospital({"site": {"name": "Bench", "desk": "desk"}, "exams": exams})
    with centre.store.write() as db:
        take_hospital(db, centre.definitions, centre.keys, hospital, _noon(DAY))
        lapsed, initial = centre.definitions.day_end.appointments_to, centre.definitions.initial
        db.executemany(
            "insert into patients values (?, 'Demo', 'D**o', 'en', null, 0, ?, 'demo')",
            ((f"P{n:06d}", fold(f"P{n:06d}")) for n in numbers),
        )
        db.executemany(
            "insert into journeys values (?, ?, ?, null, 0, 0, null, 0)",
            ((f"P{n:06d}", initial, LATER) for n in numbers),
        )
        db.executemany(
            "insert into appointments values (?, ?, 'desk', ?, ?, 0, ?, ?, ?, null, '', null)",
            (
                (f"A{n:06d}-{day}", f"P{n:06d}", f"{day}T12:00", _noon(day), day, day, status)
                for n in numbers
                for day, status in ((LATER, lapsed), (LATEST, centre.definitions.fresh_appointment))
            ),
        )
    centre.store.close()


def said(took_s: float, waits_s: list[float]) -> tuple[str, str]:
    worst = f"an action waited {ms(percentile(waits_s, 0.99))} (p99), {ms(max(waits_s))} at most"
    return f"{took_s:.1f} s", f"{worst}; {len(waits_s) / took_s:.0f} /s"


def _noon(day: str) -> int:
    return local_ms(day, "12:00", "Asia/Seoul")


def beside(url: str, today: str, work: Callable[[Centre, str], int]) -> tuple[float, list[float]]:
    """The seconds of a work, and those of each action that staff did meanwhile."""
    centre = replace(open_centre(url), clock=lambda: _noon(today))
    waits_s: list[float] = []
    is_over = threading.Event()

    def act() -> None:
        number = 0
        while not is_over.is_set():
            started = time.perf_counter()
            perform(
                centre, Requester(STAFF, "bench", "rest"), f"P{number:06d}", ActionRequest("scan_nfc", new_id(), {})
            )
            waits_s.append(time.perf_counter() - started)
            number += 1

    thread = threading.Thread(target=act)
    thread.start()
    started = time.perf_counter()
    work(centre, today)
    took_s = time.perf_counter() - started
    is_over.set()
    thread.join()
    centre.store.close()
    return took_s, waits_s
