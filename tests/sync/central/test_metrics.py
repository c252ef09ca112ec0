"""The real `kiosk-central run`: what it counts is what was done, also where a worker is killed meanwhile."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from sync.central.gateway.ways import UNTIMED
from sync.ids import new_id
from tests.scraped import Scraped, scrape
from tests.sync.central.databases import Cluster, Database
from tests.sync.central.online import PATIENCE_S
from tests.sync.central.postgres_service import Service, wait

pytestmark = [pytest.mark.processes, pytest.mark.one_database, pytest.mark.xdist_group("two workers")]
STAFF = {"role": "staff", "name": "desk"}
PATIENTS = 40


@pytest.fixture(params=[("sqlite", 1), ("postgresql", 2)], ids=lambda each: f"{each[0]}, {each[1]} workers")
def service(request: pytest.FixtureRequest, cluster: Cluster, tmp_path: Path) -> Iterator[Service]:
    kind, workers = request.param
    if kind == "sqlite":
        made = started(Database(f"sqlite:///{tmp_path}/centre.db", tmp_path / "state"), workers, tmp_path)
        yield made
        made.kill()
        return
    with cluster.bare() as url:
        made = started(Database(url, tmp_path / "state"), workers, tmp_path)
        yield made
        made.kill()


def started(database: Database, workers: int, directory: Path) -> Service:
    made = Service(database, workers)
    wait(lambda: len(made.worker_pids()) == workers)
    file = directory / "hospital.json"
    file.write_text(json.dumps(hospital()), "utf-8")
    made.command("import", str(file))
    wait(lambda: scrape(made.url).value("nfc_centre_workers_ready") == workers)
    return made


def hospital() -> dict[str, object]:
    return {
        "site": {"name": "Ward", "desk": "DESK"},
        "exams": [{"exam_id": "DESK", "title": "Reception", "public_label": "접수", "room": "1"}],
        "patients": [{"patient_id": f"P{n}", "name": f"가나다{n}"} for n in range(PATIENTS)],
    }


def desks(service: Service) -> list[str]:
    """A token of staff for each worker."""
    return [service.token(place, **STAFF) for place in range(service.workers)]


def of_rest(found: Scraped) -> dict[tuple[str, str], float]:
    return found.by("nfc_centre_actions_total", "action", "outcome")


def test_the_counts_are_what_was_done(service: Service):
    tokens = desks(service)
    wanted: Counter[tuple[str, str]] = Counter()
    statuses: Counter[str] = Counter()

    def act(number: int, action: str, outcome: str, action_id: str = "") -> None:
        answer = service.act(tokens[number % len(tokens)], action, action_id or new_id(), f"P{number}")
        assert answer.json().get("code", "done") == outcome, answer.text
        wanted[action if action != "dance" else "unknown", outcome] += 1
        statuses[str(answer.status_code)] += 1

    for number in range(10):
        act(number, "scan_nfc", "done")
    for number in range(7):
        act(number, "register", "done")
    for number in range(5):
        act(number, "scan_nfc", "not_allowed")
    for number in range(3):
        act(number, "dance", "unknown_action")
    repeated = new_id()
    for _ in range(2):
        act(20, "scan_nfc", "done", repeated)
    act(99, "scan_nfc", "unknown_patient")
    act(21, "scan_nfc", "invalid_action_id", "no uuid")
    wanted["unknown", "invalid_action_id"] = wanted.pop(("scan_nfc", "invalid_action_id"))
    found = scrape(service.url)
    assert of_rest(found) == wanted
    requests_by = found.by("nfc_centre_http_requests_total", "way", "status")
    assert {status: number for (way, status), number in requests_by.items() if way == "action"} == statuses
    assert found.value("nfc_centre_http_request_seconds_count") > sum(wanted.values())
    # Of the requests that failed before they were actions, no time is told.
    assert found.value("nfc_centre_action_seconds_count") == sum(wanted.values()) - 1
    assert not set(found.by("nfc_centre_http_request_seconds_count", "way")) & UNTIMED


def test_a_kill_of_each_worker_loses_no_count_and_adds_none(service: Service):
    tokens = desks(service)
    for round_ in range(2):
        for number in range(10):
            patient = f"P{10 * round_ + number}"
            assert service.act(tokens[number % len(tokens)], "scan_nfc", new_id(), patient).status_code == 200
        before = service.worker_pids()
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        wait(lambda: not service.worker_pids() & before)  # noqa: B023
        wait(lambda: scrape(service.url).value("nfc_centre_workers_ready") == service.workers)
        found = scrape(service.url)
        assert of_rest(found) == {("scan_nfc", "done"): 10 * (round_ + 1)}
        assert found.value("nfc_centre_worker_ends_total") == service.workers * (round_ + 1)


def test_what_the_database_says_is_told_once_however_many_workers_there_are(service: Service):
    token = desks(service)[0]
    for action in ("scan_nfc", "register", "confirm_arrival"):
        for number in range(6):
            assert service.act(token, action, new_id(), f"P{number}").status_code == 200
    for _ in range(4):  # whichever worker answers
        found = scrape(service.url)
        assert found.by("nfc_centre_queue_entries", "state") == {"waiting": 6}
    wait(lambda: scrape(service.url).by("nfc_centre_check_timestamp_seconds"))
    assert scrape(service.url).value("nfc_centre_check_findings") == 0
    assert scrape(service.url).value("nfc_centre_clock_offset_seconds") == 0


def test_a_worker_that_hangs_does_not_hang_the_scrape(service: Service):
    assert service.act(desks(service)[0], "scan_nfc", new_id(), "P1").status_code == 200
    hung = service.worker_pids()
    for pid in hung:
        os.kill(pid, signal.SIGSTOP)
    wait(lambda: {_state(pid) for pid in hung} == {"T"})
    try:
        found = scrape(service.url)  # its patience is half of the time for which a worker may hang
        assert of_rest(found) == {("scan_nfc", "done"): 1}
        assert "nfc_centre_queue_entries" not in found.names
        refused = requests.get(f"{service.url}/metrics", headers={"Host": "centre.example"}, timeout=PATIENCE_S)
        assert refused.status_code == 503
    finally:
        for pid in hung:
            os.kill(pid, signal.SIGCONT)
    wait(lambda: "nfc_centre_queue_entries" in scrape(service.url).names)


def _state(pid: int) -> str:
    """The state of a process, as proc(5) names it."""
    return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0]


def gap_s(service: Service) -> float:
    """The time for which sockets were wanted and not connected."""
    found = scrape(service.url)
    wanted, connected = (found.value(f"nfc_centre_socket_{each}_seconds_total") for each in ("wanted", "connected"))
    return wanted - connected


def await_sockets(service: Service, number: int) -> None:
    wait(lambda: scrape(service.url).value("nfc_centre_sockets") == number)


def test_a_cut_socket_that_comes_back_was_wanted_meanwhile(service: Service):
    token = service.token(0, role="patient", patient_id="P1")
    watching = service.open_socket(token)
    watching.until("initial_state")
    await_sockets(service, 1)
    cut_s = time.monotonic()
    watching.client.sock.shutdown(socket.SHUT_RDWR)
    await_sockets(service, 0)
    assert gap_s(service) == 0
    back = service.open_socket(token)
    back.until("initial_state")
    longest_s = time.monotonic() - cut_s
    back.client.close()
    await_sockets(service, 0)
    gap = gap_s(service)
    assert 0 < gap <= longest_s
    again = service.open_socket(token)
    again.until("initial_state")
    assert gap_s(service) == pytest.approx(gap), "a goodbye leaves no gap"
    again.client.close()


def test_the_death_of_a_worker_counts_against_the_availability(service: Service):
    token = service.token(0, role="patient", patient_id="P1")
    watching = service.open_socket(token)
    watching.until("initial_state")
    for pid in service.worker_pids():
        os.kill(pid, signal.SIGKILL)
    assert watching.closed() == 1013
    await_sockets(service, 0)
    back = service.open_socket(token)
    back.until("initial_state")
    assert gap_s(service) > 0
    back.client.close()
