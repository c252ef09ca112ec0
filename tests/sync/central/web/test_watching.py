"""Who may read /metrics and the whole health, and who may not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from sync.central.maintenance.figures import read_figures
from sync.central.maintenance.health_schedule import run_check
from sync.central.maintenance.log_verifying import verify_log
from sync.central.maintenance.timekeeper import Timekeeper
from sync.central.network.web_settings import WebSettings
from sync.journey.model import Role
from tests.scraped import Scraped, scrape
from tests.sync.central.box import Box
from tests.sync.central.centre import Centre
from tests.sync.central.log_chain import add_block
from tests.sync.central.online import PATIENCE_S, Online

PUBLIC = {"Host": "checkin.hospital.example"}
PATHS = ("/metrics", "/healthz?full")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Online]:
    directory = tmp_path_factory.mktemp("watched")
    web = WebSettings("https://checkin.hospital.example", ("127.0.0.1",))
    made = Online(directory, centre=Centre(directory, patients=5), web=web)
    yield made
    made.close()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("role", [None, Role.METRICS, Role.STAFF])
def test_a_program_on_this_machine_may_read_it(place: Online, path: str, role: Role | None):
    token = place.centre.token(role, name="a program") if role else None
    assert place.call("GET", path, token).status_code == 200


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("role", "status"), [(None, 401), (Role.PATIENT, 403), (Role.STAFF, 403), (Role.METRICS, 200)])
def test_from_elsewhere_a_metrics_token_alone_may_read_it(place: Online, path: str, role: Role | None, status: int):
    token = place.centre.token(role, "P01" if role is Role.PATIENT else None, name="x") if role else None
    assert place.call("GET", path, token, headers=PUBLIC).status_code == status


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", ["X-Forwarded-For", "X-Forwarded-Proto", "Forwarded", "Via", "X-Real-IP"])
def test_what_a_proxy_passes_on_is_refused_with_a_token_too(place: Online, path: str, name: str):
    token = place.centre.token(Role.METRICS, name="prometheus")
    headers = {name: "192.0.2.9"}
    for each in (None, token):
        answer = place.call("GET", path, each, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_the_short_health_is_for_everybody_and_says_no_more(place: Online):
    run_check(place.centre.parts)
    answer = place.call("GET", "/healthz", headers={**PUBLIC, "X-Forwarded-For": "192.0.2.9"})
    assert answer.json() == {"status": "ok"}


def test_the_whole_health_has_the_last_check(place: Online):
    done = run_check(place.centre.parts)
    check = place.call("GET", "/healthz?full").json()["check"]
    assert (check["ended_ms"], set(check["found"].values())) == (done.ended_ms, {0})


def test_the_whole_health_has_the_end_of_the_access_log(place: Online):
    block = add_block(place.centre)
    verify_log(place.centre.parts)
    told = place.call("GET", "/healthz?full").json()["access_log"]
    assert told == {"block": block.block, "digest": block.digest, "sealed_ms": block.sealed_ms, "faults": 0}


def test_a_metrics_token_reads_nothing_else(place: Online):
    token = place.centre.token(Role.METRICS, name="prometheus")
    for path in ("/api/v1/queue/", "/api/v1/exceptions/", "/api/v1/patient-journey/current-state/?patient_id=P01"):
        assert place.call("GET", path, token).status_code == 403
    assert place.act(token, "scan_nfc", patient_id="P01").status_code == 403


def test_the_figures_tell_no_patient(place: Online):
    token = place.centre.token(Role.STAFF, name="Nurse Kim")
    assert place.act(token, "scan_nfc", patient_id="P02").status_code == 200
    told = requests.get(f"http://{place.host}/metrics", timeout=PATIENCE_S).text
    assert not any(text in told for text in ("P02", "Kim", "환자", token))


def test_an_invented_action_makes_no_series_of_its_own(place: Online):
    token = place.centre.token(Role.STAFF, name="desk")
    for action in ("dance", "sing", "x" * 60):
        assert place.act(token, action, patient_id="P03").status_code == 400
    found = scrape(f"http://{place.host}").by("nfc_centre_actions_total", "action", "outcome")
    assert found["unknown", "unknown_action"] == 3
    assert not any(action in ("dance", "sing") for action, _ in found)


def test_a_kiosk_shows_with_its_last_contact_until_it_is_revoked(place: Online):
    box = Box(place)
    assert box.kiosk_id in told_kiosks(place)
    place.centre.do("kiosk-revoke", kiosk_id=box.kiosk_id)
    assert box.kiosk_id not in told_kiosks(place)


def told_kiosks(place: Online) -> set[str]:
    found: Scraped = scrape(f"http://{place.host}")
    samples = found.families["nfc_centre_kiosk_waiting_actions"].samples
    return {each.labels["kiosk"] for each in samples}


def test_each_verdict_is_counted_once(place: Online):
    box = Box(place)
    before = verdicts(place)
    box.push("P04", "scan_nfc")
    box.push("nobody", "scan_nfc")
    after = verdicts(place)
    gained = {kind: after[kind] - before.get(kind, 0) for kind in after if after[kind] != before.get(kind, 0)}
    assert gained == {("applied", "ok"): 1, ("needs_staff", "quarantined"): 1}


def verdicts(place: Online) -> dict[tuple[str, str], float]:
    return scrape(f"http://{place.host}").by("nfc_centre_verdicts_total", "verdict", "code")


def test_a_clock_that_is_not_believed_shows_by_how_much(tmp_path: Path):
    centre = Centre(tmp_path, patients=1)
    wall_ms, jump_ms = centre.clock(), 3_600_000
    clock = Timekeeper(lambda: (wall_ms + jump_ms, 0), wall_ms, lambda: False, wall_ms)
    assert read_figures(replace(centre.parts, clock=clock)).clock_offset_ms == jump_ms
    assert read_figures(centre.parts).clock_offset_ms == 0
    centre.store.close()
