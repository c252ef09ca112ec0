"""The middleware of docs/django in a real Django: the centre hears of each action, whatever happens in between."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from sync.journey.model import Role
from tests.middlebox import RESET, Middlebox, Response
from tests.sync.central.online import PATIENCE_S, Online

pytestmark = pytest.mark.processes


class OldSystem:
    """The old system's process. A test may kill and start it."""

    def __init__(self, directory: Path, centre: str, patients: list[str]) -> None:
        self.directory = directory
        self._command = [sys.executable, "-m", "tests.old_system.serving", str(directory), centre, *patients]
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def act(self, patient_id: str, action_type: str, **more: Any) -> int:
        """The status of the answer to an action."""
        body = {"action_type": action_type, "payload": {"patient_id": patient_id, **more}}
        url = f"http://127.0.0.1:{self.port}/patient-journey/perform-action/"
        return requests.post(url, json=body, timeout=PATIENCE_S).status_code

    def spooled(self) -> list[tuple[str, str | None]]:
        """The words that the centre does not have, with its answers."""
        with closing(sqlite3.connect(self.directory / "spool" / "words.db")) as db:
            return db.execute("select word, answer from words order by place").fetchall()


@contextmanager
def old_system(online: Online, directory: Path, centre: str, patients: list[str]) -> Iterator[OldSystem]:
    """An old system that decides everything."""
    online.centre.do("site", decides=[f"{name}=legacy" for name in online.centre.parts.definitions.actions])
    (directory / "token").write_text(online.centre.token(Role.INTEGRATION, name="old"))
    (directory / "spool").mkdir(exist_ok=True)
    made = OldSystem(directory, centre, patients)
    try:
        yield made
    finally:
        made.kill()


def until(holds: Callable[[], bool]) -> None:
    """Waits. The test's own limit of time ends it."""
    while not holds():
        time.sleep(0.02)


def state(online: Online, patient_id: str) -> str:
    return str(online.centre.state(patient_id)["journey_state"])


def test_the_centre_follows_what_the_old_system_does(online: Online, between: Middlebox, tmp_path: Path):
    anna = online.newcomer()
    with old_system(online, tmp_path, between.url, [anna]) as old:
        for action in ("scan_nfc", "register", "confirm_arrival", "call_patient", "enter_exam_room"):
            assert old.act(anna, action) == 200
        until(lambda: state(online, anna) == "IN_PROGRESS")
        (entry,) = online.centre.state(anna)["queue_details"]
        assert (entry["exam_id"], entry["state"], entry["queue_number"]) == ("blood", "in_progress", "A1")
        until(lambda: old.spooled() == [])
    words = f"select outcome, from_state, to_state, state from shadow_words where patient_id = '{anna}' order by at_ms"
    assert [tuple(row.values()) for row in online.centre.rows(words)] == [
        ("followed", "UNREGISTERED", "ARRIVED", "UNREGISTERED"),
        ("followed", "ARRIVED", "REGISTERED", "ARRIVED"),
        ("followed", "REGISTERED", "WAITING", "REGISTERED"),
        ("followed", "WAITING", "CALLED", "WAITING"),
        ("followed", "CALLED", "IN_PROGRESS", "CALLED"),
    ]
    assert all("patient" not in request.path for request in between.seen)


@pytest.mark.parametrize("trouble", [RESET, 403, 500, Response(200, (), b"<html>please log in</html>")])
def test_nothing_is_lost_and_nobody_waits_while_the_centre_is_away(
    online: Online,
    between: Middlebox,
    tmp_path: Path,
    trouble: Any,
):
    anna = online.newcomer()
    between.answer(trouble)
    with old_system(online, tmp_path, between.url, [anna]) as old:
        assert [old.act(anna, action) for action in ("scan_nfc", "register")] == [200, 200]
        until(lambda: between.struck > 0)
        old.kill()
        assert len(old.spooled()) == 2
        assert (tmp_path / "spool" / "words.db").stat().st_mode & 0o777 == 0o600
        old.start()
        between.let_pass()
        until(lambda: state(online, anna) == "REGISTERED" and old.spooled() == [])


def test_what_was_not_committed_is_not_told_and_what_was_refused_moves_nothing(
    online: Online,
    between: Middlebox,
    tmp_path: Path,
):
    anna = online.newcomer()
    with old_system(online, tmp_path, between.url, [anna]) as old:
        assert old.act(anna, "scan_nfc", fails=True) == 500
        assert old.act(anna, "register") == 400
        assert old.act(anna, "scan_nfc") == 200
        until(lambda: state(online, anna) == "ARRIVED")
    words = f"select action_type, outcome from shadow_words where patient_id = '{anna}' order by at_ms"
    told = [tuple(row.values()) for row in online.centre.rows(words)]
    assert told == [("register", "refused"), ("scan_nfc", "followed")]


def test_a_word_that_the_centre_will_not_take_is_kept_and_holds_up_no_other(
    online: Online,
    between: Middlebox,
    tmp_path: Path,
):
    anna = online.newcomer()
    with old_system(online, tmp_path, between.url, [anna, "unknown-here"]) as old:
        assert old.act("unknown-here", "scan_nfc") == 200
        assert old.act(anna, "scan_nfc") == 200
        until(lambda: state(online, anna) == "ARRIVED" and len(old.spooled()) == 1)
        ((_, answer),) = old.spooled()
        assert answer == "unknown_patient"


def test_a_spool_that_cannot_be_written_fails_no_request(online: Online, between: Middlebox, tmp_path: Path):
    anna = online.newcomer()
    with old_system(online, tmp_path, between.url, [anna]) as old:
        (tmp_path / "spool").rename(tmp_path / "gone")
        assert old.act(anna, "scan_nfc") == 200
        (tmp_path / "gone").rename(tmp_path / "spool")
        assert old.act(anna, "register") == 200
        until(lambda: state(online, anna) == "REGISTERED")


def test_two_processes_share_a_spool_and_each_word_comes_once_in_its_order(
    online: Online,
    between: Middlebox,
    tmp_path: Path,
):
    patients = [online.newcomer() for _ in range(4)]
    with (
        old_system(online, tmp_path, between.url, patients) as one,
        old_system(online, tmp_path, between.url, patients) as other,
    ):
        for place, action in enumerate(("scan_nfc", "register", "confirm_arrival")):
            for number, patient_id in enumerate(patients):
                assert (one, other)[(place + number) % 2].act(patient_id, action) == 200
        until(lambda: all(state(online, each) == "WAITING" for each in patients) and one.spooled() == [])
    posted = [request.body for request in between.seen]
    assert len(set(posted)) == 12
    for patient_id in patients:
        rows = online.centre.rows(f"select outcome from shadow_words where patient_id = '{patient_id}'")
        assert [row["outcome"] for row in rows] == ["followed"] * 3
