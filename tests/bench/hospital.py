"""One large hospital at its centre: 500 boards, 2,000 telephones and 50 kiosks in the peak hour of 15,000 visits.

All of them come from one address, as behind one router. Each telephone has the token of its patient. Five boards follow
one patient. One patient after the other goes through a visit.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from kiosk.demo import hospital
from kiosk.demo.hospital import Places, Program
from sync.central.opening import open_centre
from sync.central.records.tokens import issue
from sync.central.web.socket_places import SOCKETS_OF_A_TOKEN
from sync.journey.model import Role
from tests.bench.commanded import Commanded, commanded
from tests.bench.enrolled import enrol_kiosks
from tests.bench.figures import Figure
from tests.bench.paced import Acted, Step, act, spread
from tests.bench.processes import children, cpu_s, rss_mb, usage
from tests.bench.raw import Client
from tests.bench.recorded import fill
from tests.bench.waiting import STEPS

ROSTER = 15_000  # patients of the day
TELEPHONES = 2_000
BOARDS = 500
BOARDS_OF_ONE = 5  # boards that follow one patient
KIOSKS = 50
PEAK_VISITS = 2_500  # an hour
PEAK = PEAK_VISITS * len(STEPS) / 3600  # actions a second
LASTS_S = {PEAK: 60.0, 10 * PEAK: 30.0}
AT_ONCE = 20  # visits that go on together
ADDRESS = "127.0.1.1"


def measure(directory: Path) -> list[Figure]:
    """Latencies, processor time and memory at the peak hour's pace and at ten times of it."""
    directory.mkdir(parents=True)
    places = Places(directory, hospital.free_port(), hospital.free_port())
    fill(places, ROSTER)
    enrolled = enrol_kiosks(places.database, KIOSKS)
    (directory / "kiosks.json").write_text(json.dumps(enrolled.document), "utf-8")
    (directory / "sockets.json").write_text(json.dumps(_sockets(places)), "utf-8")
    central = hospital.start_central(places)
    central.await_health()
    port = places.central_port
    try:
        with (
            commanded("tests.bench.crowd_sockets", port, ADDRESS, directory / "sockets.json") as crowd,
            commanded("tests.bench.chain_kiosks", "127.0.0.1", port, directory / "kiosks.json") as kiosks,
        ):
            return [*_measured(central, crowd, kiosks, Client(port, enrolled.token, ADDRESS))]
    finally:
        central.stop()


def _measured(central: Program, crowd: Commanded, kiosks: Commanded, desk: Client) -> Iterator[Figure]:
    gateway, (worker, *_) = central.process.pid, children(central.process.pid)
    memory = {"gateway": gateway, "worker": worker}
    rest = {name: rss_mb(pid) for name, pid in memory.items()}
    opened_s = crowd.ask("open")
    yield Figure(f"{TELEPHONES + BOARDS:,} sockets open, until the last has its state", f"{opened_s:.1f} s")
    kiosks.ask("snapshot", 1)
    kiosks.ask("wait", KIOSKS, 1)
    steps = _steps()
    for pace, lasts_s in LASTS_S.items():
        used = usage({name: lambda pid=pid: cpu_s(pid) for name, pid in (*memory.items(), ("sockets", crowd.pid))})
        acted = act(desk, steps, pace, lasts_s)
        taken = used()
        messages = sum(_followers(patient_id) for (_, patient_id), _ in acted.steps)
        yield from _figures(f"{pace:.1f} actions a second", acted, crowd.ask("heard", messages))
        yield Figure("  processors used", ", ".join(f"{part} {share:.2f}" for part, share in taken.items()))
    full = {name: rss_mb(pid) for name, pid in memory.items()}
    said = ", ".join(f"{name} {full[name]:.0f} MB ({rest[name]:.0f} at rest)" for name in memory)
    yield Figure("memory with all of them", said, "≤ 128 MB each")


def _figures(name: str, acted: Acted, heard: Mapping[str, list[list[float]]]) -> Iterator[Figure]:
    answered_ms: dict[str, list[float]] = {}
    for (_, patient_id), done_ms in acted.steps:
        answered_ms.setdefault(patient_id, []).append(done_ms)
    late_s = []
    for patient_id, done_ms in answered_ms.items():
        sockets = heard[patient_id]
        assert len(sockets) == _followers(patient_id), "each socket hears of its patient"
        for came_ms in sockets:
            late_s += [(came - done) / 1000 for came, done in zip(came_ms, done_ms, strict=True)]
    yield Figure(f"{name}: an action, p50, p99, longest", spread(acted.took_s))
    yield Figure("  from its answer to each socket of the patient, p50, p99, longest", spread(late_s))


def _followers(patient_id: str) -> int:
    """The number of sockets that follow a patient."""
    return 1 + BOARDS_OF_ONE * (int(patient_id[1:]) < BOARDS // BOARDS_OF_ONE)


def _steps() -> Iterator[Step]:
    """The steps of visits, some of which go on together."""
    for first in range(0, TELEPHONES, AT_ONCE):
        for step in STEPS:
            yield from ((step, f"P{number}") for number in range(first, first + AT_ONCE))


def _sockets(places: Places) -> list[tuple[str, str]]:
    """A token and a patient for each socket."""
    centre = open_centre(places.database, create=False)
    with centre.store.write() as db:
        own = [issue(db, Role.PATIENT, centre.clock(), patient_id=f"P{number}") for number in range(TELEPHONES)]
        wards = [
            issue(db, Role.STAFF, centre.clock(), name=f"board {number}")
            for number in range(1 + BOARDS // SOCKETS_OF_A_TOKEN)
        ]
    centre.store.close()
    telephones = [(token, f"P{number}") for number, token in enumerate(own)]
    boards = [(wards[number // SOCKETS_OF_A_TOKEN], f"P{number // BOARDS_OF_ONE}") for number in range(BOARDS)]
    return telephones + boards
