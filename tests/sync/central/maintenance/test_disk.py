"""A disk that takes no writes is seen by the check and by the monitors, and not only by the next patient."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sync.central.commands.main import main
from sync.central.maintenance.disk import WriteWatch, look_at_disk, write_trouble
from sync.central.store.errors import Trouble
from sync.central.web.app import create_app
from sync.central.web.socket_places import SocketPlaces
from sync.control import ControlServer, socket_path
from tests.sync.central.centre import Centre


@dataclass
class Seconds:
    """A monotonic clock that the test moves."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def on_small_disk(small_disk: Path) -> Iterator[Centre]:
    centre = Centre(small_disk)
    yield centre
    (small_disk / "ballast").unlink(missing_ok=True)
    centre.store.close()


def fill(disk: Path) -> Path:
    """Leaves no page free. Returns the file to delete again."""
    ballast = disk / "ballast"
    free = os.statvfs(disk)
    ballast.write_bytes(bytes(free.f_bavail * free.f_bsize))
    return ballast


@pytest.mark.disk("8m")
def test_a_full_disk_fails_the_check_until_there_is_room(on_small_disk: Centre):
    assert look_at_disk(on_small_disk.store).trouble is None
    ballast = fill(on_small_disk.directory)
    found = on_small_disk.do("check")
    assert (found["ok"], found["disk"]) == (False, {"trouble": "disk_full", "free_bytes": 0, "is_low": True})
    ballast.unlink()
    assert on_small_disk.do("check")["disk"]["trouble"] is None


@pytest.mark.disk("8m")
def test_a_disk_that_is_nearly_full_fails_the_check_before_anything_is_refused(on_small_disk: Centre):
    found = on_small_disk.do("check")
    assert (found["ok"], found["disk"]["trouble"], found["disk"]["is_low"]) == (False, None, True)


@pytest.mark.disk("8m")
def test_findings_that_name_patients_are_counted_and_not_shown_where_the_look_cannot_be_noted(
    on_small_disk: Centre, capsys: pytest.CaptureFixture[str]
):
    with on_small_disk.store.write() as db:
        db.execute("update journeys set state = 'CALLED' where patient_id = 'P01'")
    ballast = fill(on_small_disk.directory)
    found = on_small_disk.do("check")
    assert (found["ok"], found["withheld"], found["orphans"]) == (False, 1, [])
    server = ControlServer(socket_path(on_small_disk.store.path), lambda _: {"check": lambda _: found})
    ballast.unlink()
    server.start()
    with pytest.raises(SystemExit) as ended:
        main(["check", "--database", on_small_disk.url])
    server.stop()
    assert ended.value.code == 1
    said = capsys.readouterr().out
    assert "1 findings name patients: they are shown once the database takes writes" in said
    assert "P01" not in said
    found = on_small_disk.do("check")
    assert (found["withheld"], [each["patient_id"] for each in found["orphans"]]) == (0, ["P01"])


@pytest.mark.disk("8m")
def test_monitors_learn_of_a_full_disk_by_the_status_of_the_answer(on_small_disk: Centre):
    ballast = fill(on_small_disk.directory)
    health = create_app(on_small_disk.parts, SocketPlaces(1)).test_client().get("/healthz")
    assert (health.status_code, health.json) == (503, {"status": "disk_full"})
    ballast.unlink()
    health = create_app(on_small_disk.parts, SocketPlaces(1)).test_client().get("/healthz")
    assert (health.status_code, health.json) == (200, {"status": "ok"})


@pytest.mark.one_database
def test_a_database_that_became_read_only_is_named_so(centre: Centre):
    with centre.store.write() as db:
        writer = db.execute.__self__
    writer.execute("pragma query_only=on")
    assert write_trouble(centre.store) is Trouble.READ_ONLY
    writer.execute("pragma query_only=off")
    assert write_trouble(centre.store) is None


def test_however_often_monitors_ask_a_write_is_tried_once_in_five_seconds(centre: Centre):
    time = Seconds()
    watch = WriteWatch(centre.store, monotonic=time)
    tried = []
    for _ in range(3):
        for _ in range(20):
            assert watch.trouble() is None
        (row,) = centre.rows("select value from counters where name = 'write_tries'")
        tried.append(row["value"])
        time.now += 5.0
    assert tried == [1, 2, 3]
