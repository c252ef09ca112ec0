"""A watched folder: whole documents are taken once and put away with their report, and nothing is lost on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from sync.central.intake.folder import MARK, Folder
from sync.central.intake.order import Order
from sync.central.intake.watching import Watching
from sync.central.operations.catalog import operations_for
from sync.central.records.watched_folders import TURN_MS
from sync.control import ControlServer, socket_path
from tests.sync.central.centre import Centre
from tests.sync.central.test_server import COMMAND

ROWS = "patient_id,name\nN1,홍길동\nN2,김철수\n"
BAD = "patient_id,name\nN1,홍길동\nNEW,\n"


class Stopped(Exception):
    """The command is to end."""


class Watched:
    """A centre that answers commands, and a folder that it shares with the hospital's system."""

    def __init__(self, directory: Path) -> None:
        self.centre = Centre(directory)
        self.path = directory / "export"
        self.path.mkdir()
        parts = self.centre.parts
        self.socket = socket_path(self.centre.store.place.state)
        self._server = ControlServer(self.socket, lambda uid: operations_for(parts, uid))
        self._server.start()

    def watching(self, settle_s: float = 0.0, stop: Any = lambda: None, **more: Any) -> Watching:
        order = Order(socket=str(self.socket), name="", by="folder:test", **more)
        return Watching(Folder(self.path, settle_s), order, stop)

    def lay(self, name: str, text: str | bytes = ROWS) -> Path:
        """Lays a document into the folder, as a system does that renames it in."""
        hidden = self.path / f".{name}"
        hidden.write_bytes(text if isinstance(text, bytes) else text.encode())
        return hidden.rename(self.path / name)

    def names(self, into: str) -> list[str]:
        """The documents in `done` or `refused`, without the times in their names."""
        found = self.path / into
        return sorted(each.name.split("Z-", 1)[1] for each in found.iterdir()) if found.is_dir() else []

    def report(self, into: str) -> dict[str, Any]:
        (file,) = (self.path / into).glob("*.report.json")
        assert file.stat().st_mode & 0o777 == 0o600
        return dict(json.loads(file.read_text("utf-8")))

    def people(self) -> set[str]:
        return {row["patient_id"] for row in self.centre.rows("select patient_id from patients")}

    def close(self) -> None:
        self._server.stop()
        self.centre.store.close()

    def stop_service(self) -> None:
        self._server.stop()


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    made = Watched(tmp_path)
    yield made
    made.close()


def test_a_document_is_taken_and_put_away_with_its_report(watched: Watched):
    watched.lay("patients.csv")
    watched.watching().step()
    assert {"N1", "N2"} <= watched.people()
    assert watched.names("done") == ["patients.csv", "patients.csv.report.json"]
    report = watched.report("done")
    assert (report["file"], report["outcome"], report["report"]["rows"]["patients"]["changed"]) == (
        "patients.csv",
        "taken",
        2,
    )
    assert "홍길동" not in json.dumps(report, ensure_ascii=False)
    assert [each.name for each in watched.path.iterdir()].count("patients.csv") == 0


def test_documents_are_taken_in_the_order_of_their_names(watched: Watched):
    booking = "appointment_id,patient_id,exam_id,scheduled_at\nX1,N1,blood,2026-03-02T11:00\n"
    watched.lay("2-appointments.csv", booking)
    watched.lay("1-patients.csv")
    watched.watching().step()
    assert watched.names("refused") == []
    assert len(watched.names("done")) == 4


def test_a_document_with_refused_rows_is_done_and_one_of_which_nothing_counts_is_refused(watched: Watched):
    watched.lay("some.csv", BAD)
    watching = watched.watching()
    watching.step()
    watching.end()
    assert watched.names("done") == ["some.csv", "some.csv.report.json"]
    assert watched.report("done")["outcome"] == "some_refused"
    watched.lay("none.csv", "patient_id,name\nNEW,\n")
    watched.watching(strict=True).step()
    assert watched.names("refused") == ["none.csv", "none.csv.report.json"]


@pytest.mark.parametrize(
    "named", ["1-환자.csv".encode("cp949"), b"1" * 251 + b".csv", f"1{'환' * 83}.csv".encode(), b"1\n2.csv"], ids=repr
)
@pytest.mark.parametrize("text", [ROWS, "{"], ids=["taken", "refused"])
def test_no_name_of_a_document_holds_up_those_behind_it(watched: Watched, named: bytes, text: str):
    watched.lay("2-patients.csv", "patient_id,name\nN3,박영희\n")
    (watched.path / os.fsdecode(named)).write_text(text, "utf-8")
    watched.watching().step()
    assert "N3" in watched.people()
    assert ("N1" in watched.people()) is (text == ROWS)
    assert [each.name for each in watched.path.iterdir() if each.name[0] in "12"] == []
    names = [*watched.names("done"), *watched.names("refused")]
    assert len(names) == 4
    assert all(name.isprintable() and name.removesuffix(".report.json").endswith(".csv") for name in names)


def test_a_document_that_comes_in_the_place_of_another_while_the_report_is_written_is_taken(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
):
    watched.lay("patients.csv")
    watching = watched.watching()
    keep_report = watching.folder.keep_report

    def keep_and_replace(*given: Any) -> Path:
        place = keep_report(*given)
        watched.lay("patients.csv", "patient_id,name\nN3,박영희\n")
        return place

    with monkeypatch.context() as patched:
        patched.setattr(watching.folder, "keep_report", keep_and_replace)
        watching.step()
    assert "N3" not in watched.people()
    watching.step()
    assert "N3" in watched.people()


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "", "{", b"PK\x03\x04xx"])
def test_a_broken_document_is_refused_and_those_behind_it_are_taken(watched: Watched, text: str | bytes):
    watched.lay("1-broken.csv", text)
    watched.lay("2-good.csv")
    watched.watching().step()
    assert watched.names("refused") == ["1-broken.csv", "1-broken.csv.report.json"]
    assert watched.names("done") == ["2-good.csv", "2-good.csv.report.json"]
    assert watched.report("refused")["outcome"] == "failed"


def test_a_document_that_still_grows_is_not_taken(watched: Watched):
    file = watched.lay("patients.csv", "patient_id,name\n")
    folder = Folder(watched.path, 5.0)
    assert (folder.whole(0.0), folder.whole(4.0)) == ([], [])
    file.write_text(ROWS)
    assert (folder.whole(6.0), folder.whole(10.0)) == ([], [])
    assert folder.whole(11.0) == ["patients.csv"]


@pytest.mark.parametrize("name", [".hidden.csv", "x.tmp", "x.csv.part", "x.PARTIAL", "x.csv~", "x.filepart"])
def test_unfinished_names_are_left_alone(watched: Watched, name: str):
    (watched.path / name).write_text(ROWS)
    watched.watching().step()
    assert (watched.path / name).exists()
    assert "N1" not in watched.people()


def test_links_folders_and_pipes_are_left_alone(watched: Watched, tmp_path: Path):
    secret = tmp_path / "secret.csv"
    secret.write_text(ROWS)
    (watched.path / "link.csv").symlink_to(secret)
    (watched.path / "folder.csv").mkdir()
    os.mkfifo(watched.path / "pipe.csv")
    watched.watching().step()
    assert "N1" not in watched.people()
    assert (watched.path / "link.csv").is_symlink()


def test_a_document_stays_while_the_service_is_away_and_is_taken_later(watched: Watched):
    watched.lay("patients.csv")
    watching = watched.watching()
    watched.stop_service()
    pauses = [watching.step() for _ in range(3)]
    assert pauses == [5.0, 10.0, 20.0]
    assert (watched.path / "patients.csv").exists()
    parts = watched.centre.parts
    watched._server = ControlServer(watched.socket, lambda uid: operations_for(parts, uid))
    watched._server.start()
    assert watching.step() == 1.0
    assert watched.names("done") == ["patients.csv", "patients.csv.report.json"]


def test_a_process_that_was_killed_before_the_move_takes_the_document_again(watched: Watched):
    watched.lay("patients.csv")
    watching = watched.watching()
    watching.step()
    (moved,) = (each for each in (watched.path / "done").iterdir() if each.suffix == ".csv")
    moved.rename(watched.path / "patients.csv")  # as it was before the move
    again = watched.watching()
    watching.end()
    again.step()
    reports = [json.loads(each.read_text()) for each in sorted((watched.path / "done").glob("*.report.json"))]
    assert [each["report"]["rows"]["patients"]["changed"] for each in reports] == [2, 0]


def test_a_document_that_is_replaced_while_it_is_read_is_taken_too(watched: Watched):
    file = watched.lay("patients.csv")
    replaced: list[str] = []

    def replace() -> None:
        if not replaced:
            replaced.append("once")
            watched.lay("patients.csv", "patient_id,name\nN3,다른\n")

    watched.watching(stop=replace).step()
    assert file.read_text() == "patient_id,name\nN3,다른\n"
    assert watched.names("done") == ["patients.csv.report.json"]
    watching = watched.watching()
    watched.centre.clock.now_ms += TURN_MS
    watching.step()
    assert {"N1", "N2", "N3"} <= watched.people()


def test_a_command_that_is_told_to_end_leaves_the_document(watched: Watched):
    watched.lay("patients.csv")

    def stop() -> None:
        raise Stopped

    with pytest.raises(Stopped):
        watched.watching(stop=stop).step()
    assert (watched.path / "patients.csv").exists()


def test_of_two_hosts_one_works_on_a_folder_until_it_ends_or_dies(watched: Watched):
    one, two = watched.watching(), watched.watching()
    one.step()
    watched.lay("patients.csv")
    two.step()
    assert watched.names("done") == []
    one.end()
    two.step()
    assert watched.names("done") == ["patients.csv", "patients.csv.report.json"]
    watched.lay("more.csv")
    three = watched.watching()
    three.step()
    assert len(watched.names("done")) == 2
    watched.centre.clock.now_ms += TURN_MS
    three.step()
    assert len(watched.names("done")) == 4


def test_a_folder_that_vanishes_is_waited_for(watched: Watched):
    watching = watched.watching()
    away = watched.path.rename(watched.path.with_name("away"))
    assert watching.step() == 5.0
    away.rename(watched.path)
    watched.lay("patients.csv")
    assert watching.step() == 1.0
    assert watched.names("done") == ["patients.csv", "patients.csv.report.json"]


def test_a_mark_that_is_no_id_is_an_error_that_names_it(watched: Watched, caplog: pytest.LogCaptureFixture):
    (watched.path / MARK).write_text("x")
    watched.watching().step()
    assert f"{MARK}: holds no id of a folder" in caplog.text


def fill(path: Path) -> None:
    """Writes until the disk is full."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT)
    with suppress(OSError):
        while True:
            os.write(file, b"x" * 1024)
    os.close(file)


@pytest.mark.disk("256K")
def test_a_full_disk_leaves_the_document(watched: Watched, small_disk: Path):
    folder = small_disk / "export"
    folder.mkdir()
    watched.path = folder
    watched.lay("patients.csv")
    watching = watched.watching()
    watching.folder.folder_id()
    (folder / "done").mkdir()
    fill(small_disk / "filler")
    assert watching.step() == 5.0
    assert (folder / "patients.csv").exists()
    (small_disk / "filler").unlink()
    assert watching.step() == 1.0
    assert watched.names("done") == ["patients.csv", "patients.csv.report.json"]


@pytest.mark.processes
def test_the_command_takes_what_appears_and_ends_with_sigterm(watched: Watched):
    words = [*COMMAND, "watch", "--database", watched.centre.url, "--settle", "0", str(watched.path)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        watched.lay("patients.csv")
        while not watched.names("done"):
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0
        assert process.stderr is not None
        said = process.stderr.read()
    assert "patients.csv: taken, 0 rows refused; it is in done" in said
    assert "홍길동" not in said
