"""What waiting kiosks cost those who act, how soon they hear, and how long the first snapshot of a day takes."""

from __future__ import annotations

import itertools
import json
import statistics
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from kiosk.demo import hospital
from kiosk.demo.hospital import Places
from sync.ids import new_id
from tests.bench.acting import Acted, Door, Journey, act
from tests.bench.commanded import commanded
from tests.bench.enrolled import enrol_kiosks
from tests.bench.figures import Figure, ms, percentile

KIOSKS = 200
BOOKED = 1_400  # patients of a day: the roster of a snapshot
WALK_INS = 20_000  # patients who are acted on; what they did comes to every kiosk in its next pull
MARKED = 6_000
MARK_EVERY_S = 0.05
SLICE_S = 1.5
PAIRS = 3
STEPS = ("scan_nfc", "register", "confirm_arrival", "call_patient", "start_exam", "complete_exam")
_KIOSKS = ("tests.bench.waiting_kiosks", "127.0.0.1")
HEARD_WITHIN_S = {5: 0.5, 20: 0.5, 50: 0.5, 200: 1.0}
SNAPSHOT_WITHIN_S = {50: 5.0, 200: 20.0}


def measure(directory: Path) -> list[Figure]:
    """Rates with and without waiting kiosks by turns, until when each kiosk holds a change, and snapshots."""
    directory.mkdir(parents=True)
    places = Places(directory, hospital.free_port(), hospital.free_port())
    token = _fill(places)
    central = hospital.start_central(places)
    central.await_health()
    try:
        with commanded(*_KIOSKS, places.central_port, directory / "kiosks.json") as hall:
            bench = _Bench(Door("127.0.0.1", places.central_port, token), hall.ask)
            snapshots = [figure for number in SNAPSHOT_WITHIN_S for figure in bench.snapshot(number)]
            shares = [
                figure for clients in (1, 32) for number in HEARD_WITHIN_S for figure in bench.beside(number, clients)
            ]
    finally:
        central.stop()
    return [*shares, *snapshots]


class _Bench:
    def __init__(self, door: Door, ask: Any) -> None:
        self._door = door
        self._ask = ask
        self._journeys = _journeys()

    def beside(self, number: int, clients: int) -> Iterator[Figure]:
        """What so many waiting kiosks cost so many clients."""
        rates, slow, heard_s = [], [], []
        for _ in range(PAIRS):
            self._ask("wait", 0)
            alone = self._slice(clients)
            self._ask("wait", number)
            beside = self._slice(clients)
            rates.append(beside.rate / alone.rate)
            slow.append(percentile(beside.latencies_s, 0.99) / percentile(alone.latencies_s, 0.99))
            time.sleep(2.5)  # until the last marked action has come to every kiosk
            heard_s += _delays(beside, self._ask("heard"), number)
        name = f"{number} kiosks wait, {clients} clients"
        yield Figure(f"{name}: perform-action", f"{beside.rate:.0f} of {alone.rate:.0f} /s")
        yield Figure(f"{name}: rate / rate without", f"{statistics.median(rates) * 100:.0f} %", "≥ 85 %")
        yield Figure(f"{name}: p99", ms(percentile(beside.latencies_s, 0.99)))
        yield Figure(f"{name}: p99 / p99 without", f"{statistics.median(slow):.2f}", "≤ 2")
        within = HEARD_WITHIN_S[number]
        yield Figure(f"{name}: a kiosk holds a change, p99", ms(percentile(heard_s, 0.99)), f"≤ {within * 1000:.0f} ms")

    def snapshot(self, number: int) -> Iterator[Figure]:
        """How long so many kiosks that begin a day together take, and the longest action meanwhile."""
        alone = self._slice(1)
        has_ended = threading.Event()
        acted: list[Acted] = []

        def run() -> None:
            acted.append(act(self._door, self._journeys, 1, lambda: not has_ended.is_set(), "none"))

        acting = threading.Thread(target=run)
        acting.start()
        began_s = time.monotonic()
        whole = self._ask("begin", number)
        took_s = time.monotonic() - began_s
        has_ended.set()
        acting.join()
        rows = {int(each) for _, each in whole}
        assert min(rows) >= BOOKED, rows
        within = SNAPSHOT_WITHIN_S[number]
        yield Figure(f"{number} kiosks get a snapshot of {min(rows)} patients", f"{took_s:.1f} s", f"≤ {within:.0f} s")
        longest_s = max(acted[0].latencies_s)
        yield Figure(f"the longest of {len(acted[0].latencies_s)} actions meanwhile", ms(longest_s), "≤ 100 ms")
        yield Figure(f"the longest of {len(alone.latencies_s)} actions before", ms(max(alone.latencies_s)))

    def _slice(self, clients: int) -> Acted:
        until_s = time.monotonic() + SLICE_S
        return act(self._door, self._journeys, clients, lambda: time.monotonic() < until_s, "mark-")


def _delays(acted: Acted, heard: dict[str, list[float]], kiosks: int) -> list[float]:
    """The seconds from each marked action's answer until each kiosk has it."""
    for patient_id in acted.marked_s:
        assert len(heard.get(patient_id, ())) == kiosks, f"{patient_id} came to {len(heard.get(patient_id, ()))} kiosks"
    return [each - done_s for patient_id, done_s in acted.marked_s.items() for each in heard[patient_id]]


def _journeys() -> Iterator[Journey]:
    """The journeys of walk-ins, and now and then an arrival of a marked patient."""
    marked = (f"mark-{number}" for number in itertools.count())
    next_mark_s = 0.0
    for number in range(WALK_INS):
        if time.monotonic() >= next_mark_s:
            next_mark_s = time.monotonic() + MARK_EVERY_S
            yield [_action(next(marked), "scan_nfc")]
        yield [_action(f"walk-{number}", step) for step in STEPS]


def _action(patient_id: str, step: str) -> dict[str, Any]:
    return {"action_type": step, "action_id": new_id(), "payload": {"patient_id": patient_id}}


def _fill(places: Places) -> str:
    """Makes a hospital with its kiosks, and returns a token of staff."""
    today = datetime.now(ZoneInfo("Asia/Seoul")).date().isoformat()
    names = [f"booked-{n}" for n in range(BOOKED)]
    names += [f"walk-{n}" for n in range(WALK_INS)] + [f"mark-{n}" for n in range(MARKED)]
    document = {
        "site": {"name": "Bench", "desk": "DESK"},
        "exams": [
            {"exam_id": "DESK", "title": "Reception", "public_label": "접수", "room": "1"},
            {"exam_id": "XRAY", "title": "X-ray", "public_label": "영상 촬영", "room": "3"},
        ],
        "patients": [
            {"patient_id": name, "name": f"가나다{n}", "cards": [f"04{n:012x}"]} for n, name in enumerate(names)
        ],
        "appointments": [
            {"appointment_id": f"A{n}", "patient_id": names[n], "exam_id": "XRAY", "scheduled_at": f"{today}T23:00"}
            for n in range(BOOKED)
        ],
    }
    file = places.directory / "hospital.json"
    file.write_text(json.dumps(document), "utf-8")
    hospital.central_command(places, "import", str(file))
    enrolled = enrol_kiosks(places.database, KIOSKS)
    (places.directory / "kiosks.json").write_text(json.dumps(enrolled.document), "utf-8")
    return enrolled.token
