"""The command `import`, beside a running service and on a database that no service has open."""

import contextlib
import io
import json
import os
import pwd
import re
import select
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sync.central.documents.dates import iso_moment
from sync.central.frames import Begin
from sync.central.imports.parts import FIELDS, Kind
from sync.central.opening import open_centre
from sync.central.operations.catalog import operations
from sync.central.worker.parts import OpenCentre
from sync.central.worker.plan import Plan
from sync.control import ControlServer, Operation, socket_path
from tests.sync.central.commands.test_main import Shell
from tests.sync.central.test_server import COMMAND, Process

FIRST = "04000000000101"
SECOND = "04aabbccdd0101"
BASE: dict[str, Any] = {
    "site": {
        "name": "가상병원",
        "desk": "INFO",
        "timezone": "Europe/Berlin",
        "day_starts_at": "05:00",
        "ticket_prefix": "Z",
    },
    "exams": [
        {"exam_id": "INFO", "title": "접수", "public_label": "접수 창구", "room": "1"},
        {"exam_id": "RAD", "title": "R", "public_label": "영상의학과", "room": "201", "minutes": 45, "overnight": True},
        {"exam_id": "LAB", "title": "L", "public_label": "채혈실", "room": "102"},
    ],
    "patients": [
        {"patient_id": "T-1", "name": "홍길동", "cards": [FIRST]},
        {
            "patient_id": "T-2",
            "name": "Anna Example",
            "language": "en",
            "birth_date": "1980-01-02",
            "masked_name": "A. E.",
        },
    ],
}


@pytest.fixture(params=["service", "file"])
def shell(request, tmp_path: Path, capsys) -> Iterator[Shell]:
    """Commands on a centre: with the parts of a running service in this process, and without them."""
    shell = Shell(tmp_path, capsys)
    service = OpenCentre(Plan(url=shell.url, create=True)).begin(Begin()) if request.param == "service" else None
    yield shell
    if service is not None:
        service.close()


@pytest.fixture
def alone(tmp_path: Path, capsys) -> Shell:
    """Commands on a database that no service has open."""
    return Shell(tmp_path, capsys)


def written(shell: Shell, document: object, name: str = "document.json", encoding: str = "utf-8") -> str:
    """A file beside the database, of a document or of a text."""
    file = shell.path.parent / name
    text = document if isinstance(document, str) else json.dumps(document, ensure_ascii=False, indent=1)
    file.write_bytes(text.encode(encoding))
    return str(file)


def take(shell: Shell, document: object, *options: str, code: int = 0, **how: str) -> dict[str, Any]:
    """The report of a document as JSON."""
    return json.loads(shell("import", written(shell, document, **how), "--json", *options, code=code))


def refusals(report: dict[str, Any]) -> list[tuple[int, str | None, str]]:
    return [(each["line"], each["id"], each["reason"]) for each in report["refusals"]]


def rows(shell: Shell, sql: str) -> list[dict[str, Any]]:
    """The rows of a query, on the file that a service may have open."""
    with closing(sqlite3.connect(f"file:{shell.path}?mode=ro", uri=True)) as db:
        db.row_factory = sqlite3.Row
        return [dict(row) for row in db.execute(sql)]


def test_what_a_document_leaves_out_stays_as_it_is(shell: Shell):
    take(shell, BASE)
    before = rows(shell, "select * from patients where patient_id = 'T-2'")
    changes = {
        "site": {"name": "가상병원", "desk": "INFO"},
        "exams": [{"exam_id": "RAD", "title": "R", "public_label": "영상의학과", "room": "202"}],
        "patients": [{"patient_id": "T-2", "name": "Anna Example", "cards": [SECOND]}],
    }
    report = take(shell, changes)
    assert (report["rows"]["site"], report["cards"]) == ({"changed": 0, "unchanged": 1, "refused": 0, "waiting": 0}, 1)
    assert rows(shell, "select * from patients where patient_id = 'T-2'") == before
    assert rows(shell, "select room, minutes, overnight from exams where exam_id = 'RAD'") == [
        {"room": "202", "minutes": 45, "overnight": 1}
    ]
    assert rows(shell, "select timezone, day_starts_at, ticket_prefix from site") == [
        {"timezone": "Europe/Berlin", "day_starts_at": "05:00", "ticket_prefix": "Z"}
    ]


def test_a_document_taken_twice_changes_nothing_the_second_time(shell: Shell):
    take(shell, BASE)
    again = take(shell, BASE)
    assert [each["changed"] for each in again["rows"].values()] == [0] * 5
    assert (again["cards"], again["cancelled"], again["refused"]) == (0, 0, 0)


def test_a_doubled_id_is_an_error_of_each_row_that_bears_it(shell: Shell):
    take(shell, BASE)
    booking = {"appointment_id": "TWICE", "patient_id": "T-1", "exam_id": "RAD", "scheduled_at": "2099-12-01T09:00"}
    document = {
        "patients": [{"patient_id": "T-3", "name": "김가상"}, {"patient_id": "T-3", "name": "이가상"}],
        "appointments": [booking, {**booking, "exam_id": "LAB", "scheduled_at": "2099-12-01T15:00"}],
    }
    report = take(shell, document, code=1)
    assert refusals(report) == [
        (3, "T-3", "the same id is on lines 3 and 7"),
        (7, "T-3", "the same id is on lines 3 and 7"),
        (13, "TWICE", "the same id is on lines 13 and 19"),
        (19, "TWICE", "the same id is on lines 13 and 19"),
    ]
    assert rows(shell, "select * from patients where patient_id = 'T-3'") == []


def test_one_bad_row_is_refused_and_the_others_are_taken(shell: Shell):
    take(shell, BASE)
    bookings = [
        {"appointment_id": "G-1", "patient_id": "T-1", "exam_id": "RAD", "scheduled_at": "2099-12-02T09:00"},
        {"appointment_id": "G-2", "patient_id": "T-1", "exam_id": "RAD", "scheduled_at": "2026-06-30T23:59:60"},
        {"appointment_id": "G-3", "patient_id": "T-1", "exam_id": "nowhere", "scheduled_at": "2099-12-02T09:00"},
        {"appointment_id": "G-4", "patient_id": "T-1", "exam_id": "LAB", "scheduled_at": "2026-12-02 10:00"},
    ]
    out = shell("import", written(shell, {"appointments": bookings}), code=1)
    assert out.splitlines() == [
        "appointments: 2 new or changed, 0 unchanged, 2 refused",
        "read as JSON in UTF-8",
    ]
    assert shell.lines_of_error() == [
        "line 9, appointments G-2: scheduled_at is no date and time with one meaning, such as 2026-12-01T09:00",
        "line 15, appointments G-3: unknown exam: nowhere",
    ]
    taken = [row["appointment_id"] for row in rows(shell, "select appointment_id from appointments order by 1")]
    assert taken == ["G-1", "G-4"]


def test_a_strict_document_with_a_bad_row_writes_nothing_and_without_one_everything(shell: Shell):
    bad = {**BASE, "appointments": [{"appointment_id": "S-1", "patient_id": "T-9", "exam_id": "RAD"}]}
    report = take(shell, bad, "--strict", code=1)
    assert (report["checked_only"], refusals(report)) == (
        True,
        [(48, "S-1", "unknown patient: T-9")],
    )
    assert rows(shell, "select * from exams") == []
    good = {**BASE, "appointments": [_booking("S-1", "T-2")]}
    report = take(shell, good, "--strict")
    assert (report["checked_only"], report["rows"]["patients"]["changed"]) == (False, 2)
    assert len(rows(shell, "select * from appointments")) == 1


def test_a_check_says_what_would_be_taken_and_writes_nothing(shell: Shell):
    document = {**BASE, "appointments": [_booking("C-1", "T-1"), _booking("C-2", "T-2")]}
    take(shell, {})
    with closing(sqlite3.connect(shell.path)) as db, db:
        db.execute("delete from audit")
    out = shell("import", written(shell, document), "--check")
    assert out.splitlines() == [
        "exams: 3 new or changed, 0 unchanged, 0 refused",
        "site: 1 new or changed, 0 unchanged, 0 refused",
        "patients: 2 new or changed, 0 unchanged, 0 refused",
        "appointments: 2 new or changed, 0 unchanged, 0 refused",
        "cards: 1 bound or ended",
        "read as JSON in UTF-8; nothing was written",
    ]
    assert rows(shell, "select * from exams") == []
    assert rows(shell, "select * from audit where kind = 'import'") == []


def _booking(appointment_id: str, patient_id: str, at: str = "2099-12-01T09:00") -> dict[str, str]:
    return {"appointment_id": appointment_id, "patient_id": patient_id, "exam_id": "RAD", "scheduled_at": at}


def test_swapped_cards_are_set_right_and_stay_so(shell: Shell):
    both = [
        {"patient_id": "T-1", "name": "홍길동", "cards": [FIRST]},
        {"patient_id": "T-2", "name": "Anna", "cards": [SECOND]},
    ]
    swapped = [{**both[0], "cards": [SECOND]}, {**both[1], "cards": [FIRST]}]
    take(shell, {**BASE, "patients": both})
    assert take(shell, {"patients": swapped})["cards"] == 2
    assert take(shell, {"patients": swapped})["cards"] == 0
    held = rows(shell, "select patient_id, binding_id from bindings where end_ms is null")
    assert sorted(row["patient_id"] for row in held) == ["T-1", "T-2"]


def test_two_rows_that_claim_one_card_are_refused_without_its_number(shell: Shell):
    take(shell, BASE)
    patients = [{"patient_id": f"T-{n}", "name": "환자", "cards": ["04bbbbbbbb0101"]} for n in (3, 4)]
    shell("import", written(shell, {"patients": patients}), code=1)
    assert shell.lines_of_error() == [
        "line 3, patients T-3: card 1 is also card 1 of line 10",
        "line 10, patients T-4: card 1 is also card 1 of line 3",
    ]


def test_names_are_kept_in_one_form_and_what_nobody_sees_is_refused(shell: Shell):
    take(shell, BASE)
    names = {
        "N-1": "\u1112\u1169\u11bc\u1100\u1175\u11af\u1103\u1169\u11bc",
        "N-2": "   ",
        "N-3": "\u200b",
        "N-4": "\u202eمحمد علي",
        "N-5": "👨\u200d👩\u200d👧\u200d👦 김",
        "T-1 ": "홍길동",
    }
    report = take(shell, {"patients": [{"patient_id": key, "name": name} for key, name in names.items()]}, code=1)
    assert [row_id for _, row_id, _ in refusals(report)] == ["N-2", "N-3", "N-4"]
    assert report["rows"]["patients"] == {"changed": 2, "unchanged": 1, "refused": 3, "waiting": 0}
    assert rows(shell, "select name from patients where patient_id = 'N-1'") == [{"name": "홍길동"}]


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8-sig", "UTF-8"),
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16-LE"),
        ("utf-16-be", "UTF-16-BE"),
        ("cp949", "CP949"),
        ("euc-kr", "CP949"),
    ],
)
@pytest.mark.parametrize("form", ["JSON", "CSV"])
def test_a_file_in_any_encoding_of_a_hospital_is_read(alone: Shell, encoding: str, said: str, form: str):
    take(alone, BASE)
    patients = [{"patient_id": "E-1", "name": "김가상", "language": "en"}]
    csv = "patient_id,name,language\r\nE-1,김가상,en\r\n"
    file = written(alone, {"patients": patients} if form == "JSON" else csv, "export", encoding)
    assert alone("import", file).splitlines()[-1] == f"read as {form} in {said}"
    assert rows(alone, "select name, language from patients where patient_id = 'E-1'") == [
        {"name": "김가상", "language": "en"}
    ]


def test_a_named_encoding_reads_what_cannot_be_found_out(alone: Shell):
    take(alone, BASE)
    file = written(alone, "patient_id;name\nE-1;Jörg Müller", "export.csv", "windows-1252")
    alone("import", file, code=2)
    assert "--encoding" in alone.error
    alone("import", file, "--encoding", "windows-1252")
    assert rows(alone, "select name from patients where patient_id = 'E-1'") == [{"name": "Jörg Müller"}]


def test_a_hospital_comes_in_from_csv(shell: Shell):
    take(shell, {"site": {"name": "H", "desk": "D"}, "exams": [{"exam_id": "D", "title": "D", "public_label": "D"}]})
    exams = "exam_id;title;public_label;room;minutes;overnight\nX;X-ray;Imaging;201;8;no\nS;Sleep;Ward;9;;Y\n"
    patients = (
        "Patient ID,Name,Birth Date,Ward,Cards\nC-1,홍길동,1980.02.28,7,04a1b2c3d4e511;04a1b2c3d4e512\nC-2,Kim,,8,\n"
    )
    bookings = (
        "appointment_id\tpatient_id\texam_id\tscheduled_at\n"
        "B-1\tC-1\tX\t2026-12-01 오전 9:40\nB-2\tC-2\tS\t20261201 2130\nB-3\tC-1\tS\t12/1/26\n"
    )
    assert take(shell, exams, name="exams.csv")["rows"]["exams"]["changed"] == 2
    report = take(shell, patients, "--ignore-column", "ward", name="patients.csv")
    assert (report["rows"]["patients"]["changed"], report["cards"]) == (2, 2)
    report = take(shell, bookings, name="bookings.csv", code=1)
    assert refusals(report) == [
        (4, "B-3", "scheduled_at is no date and time with one meaning, such as 2026-12-01T09:00")
    ]
    assert rows(shell, "select birth_date from patients where patient_id = 'C-1'") == [{"birth_date": "1980-02-28"}]
    assert [row["minutes"] for row in rows(shell, "select minutes from exams order by exam_id")] == [10, 10, 8]
    taken = rows(shell, "select appointment_id, site_day from appointments order by 1")
    assert taken == [{"appointment_id": f"B-{n}", "site_day": "2026-12-01"} for n in (1, 2)]


def test_an_empty_cell_removes_and_a_column_left_out_does_not(alone: Shell):
    take(alone, BASE)
    take(alone, "patient_id,name\nT-2,Anna New\n", name="patients.csv")
    kept = rows(alone, "select name, language, birth_date from patients where patient_id = 'T-2'")
    assert kept == [{"name": "Anna New", "language": "en", "birth_date": "1980-01-02"}]
    take(alone, "patient_id,name,language,birth_date\nT-2,,,\n", name="patients.csv")
    removed = rows(alone, "select name, language, birth_date from patients where patient_id = 'T-2'")
    assert removed == [{"name": "Anna New", "language": "ko", "birth_date": None}]


def test_complete_days_cancel_what_the_document_does_not_name(shell: Shell):
    bookings = [_booking(f"D-{n}", "T-1") for n in range(10)]
    take(shell, {**BASE, "appointments": bookings})
    report = take(shell, {"appointments": bookings[:9], "complete_days": ["2099-12-01"]})
    assert (report["cancelled"], report["rows"]["complete_days"]["refused"]) == (1, 0)
    strict = {
        "exams": [{"exam_id": "INFO", "room": "7"}],
        "appointments": bookings[:2],
        "complete_days": ["2099-12-01"],
    }
    assert take(shell, strict, "--strict", code=1)["checked_only"]
    assert rows(shell, "select room from exams where exam_id = 'INFO'") == [{"room": "1"}]
    file = written(shell, "appointment_id\nD-1\nD-2\n", "bookings.csv")
    report = json.loads(shell("import", file, "--complete-day", "2099.12.1", "--json", code=1))
    assert (report["cancelled"], report["rows"]["appointments"]["unchanged"]) == (0, 2)
    assert [(each["line"], each["kind"], each["id"]) for each in report["refusals"]] == [
        (None, "complete_days", "2099-12-01")
    ]
    report = json.loads(shell("import", file, "--complete-day", "2099-12-01", "--force", "--json"))
    assert report["cancelled"] == 7


@pytest.mark.parametrize(
    ("name", "text", "options", "said"),
    [
        ("a.json", '{"patients": [{"patient_id": "P"},\n{"patient_id": "Q"}, {', (), "line 2, column 23"),
        (
            "a.json",
            '{"patients": [{"patient_id": "P"},\n{"patient_id": "Q"}, {',
            (),
            "2 rows before it can be read; nothing",
        ),
        ("a.json", '{"people": []}', (), 'unknown or repeated member "people"'),
        ("a.json", "", (), "is empty"),
        ("a.csv", "name;age\nKim;7", (), "the header names none of exam_id, patient_id, appointment_id"),
        ("a.csv", "patient_id;ward\nP;7", (), "column 2, 'ward', is no field of patients"),
        ("a.xlsx", "PK\x03\x04", (), "is a workbook or an archive: export it as CSV or JSON"),
        ("a.json", "{}", ("--kind", "patients"), "--kind and --ignore-column are for CSV"),
        ("a.json", "{}", ("--encoding", "klingon"), "there is no encoding klingon"),
        ("a.json", "{}", ("--complete-day", "12/1/26"), "is no date of the calendar"),
        ("a.csv", "patient_id\nP", ("--complete-day", "2026-12-01"), "needs a file of appointments"),
        ("a.json", "{}", ("--kind", "site"), "is not one of"),
    ],
)
def test_a_file_that_is_no_document_is_told_and_nothing_is_done(alone: Shell, name, text, options, said):
    alone("import", written(alone, text, name), *options, code=2)
    assert said in alone.error
    assert not alone.path.exists()


def test_a_file_or_a_database_that_is_not_there_is_told(alone: Shell, tmp_path: Path):
    alone("import", str(tmp_path / "missing.json"), code=2)
    assert "does not exist" in alone.error
    alone("import", str(tmp_path), code=2)
    assert "is a directory" in alone.error
    alone("import", written(alone, BASE), code=2, url="sqlite:////proc/none/centre.db")
    assert len(alone.lines_of_error()) == 1


def test_a_document_without_rows_says_so(alone: Shell):
    for text, name in (("patient_id,name\n", "patients.csv"), ("{}", "all.json")):
        assert "there is no row in it" in alone("import", written(alone, text, name))


def test_standard_input_and_a_pipe_are_read_too(alone: Shell, monkeypatch, tmp_path: Path):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(json.dumps(BASE).encode("utf-16"))))
    alone("import", "-")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writing = threading.Thread(target=lambda: pipe.write_text("patient_id,name\nT-7,Pipe\n"))
    writing.start()
    alone("import", str(pipe))
    writing.join()
    assert len(rows(alone, "select * from patients")) == 3


def test_rows_before_there_is_a_site_are_refused_each(alone: Shell):
    report = take(alone, {"patients": [{"patient_id": "T-1", "name": "홍길동"}]}, code=1)
    assert "site" in refusals(report)[0][2]


def test_fifty_refused_rows_are_shown_and_the_others_counted(alone: Shell):
    take(alone, BASE)
    bad = [{"patient_id": f"Q-{n}", "name": "환자", "birth_date": "1980-13-45"} for n in range(1284)]
    alone("import", written(alone, {"patients": bad}), code=1)
    lines = alone.lines_of_error()
    assert (len(lines), lines[-1]) == (51, "and 1,234 more (--json lists all)")
    assert "환자" not in alone.error
    report = take(alone, {"patients": bad}, code=1)
    assert alone.error == ""
    assert len(report["refusals"]) == report["refused"] == 1284


def test_the_audit_has_the_numbers_of_a_run(shell: Shell):
    take(shell, BASE)
    (row,) = rows(shell, "select who, detail from audit where kind = 'import'")
    detail = json.loads(row["detail"])
    who = f"command line:{pwd.getpwuid(os.getuid()).pw_name}"
    assert (row["who"], detail["rows"]["patients"]["changed"], detail["complete"]) == (who, 2, True)


@pytest.mark.processes
def test_a_large_document_goes_in_beside_a_running_service(tmp_path: Path, capsys):
    process = Process(tmp_path)
    shell = Shell(tmp_path, capsys)
    patients = [{"patient_id": f"L-{n}", "name": f"환자{n}", "cards": [f"04dd{n:010x}"]} for n in range(1500)]
    bookings = [{**_booking(f"LB-{n}", f"L-{n}"), "exam_id": "LAB"} for n in range(1500)]
    report = take(shell, {**BASE, "patients": patients, "appointments": bookings})
    assert (report["rows"]["patients"]["changed"], report["cards"]) == (1500, 1500)
    assert report["rows"]["appointments"]["changed"] == 1500
    assert process.stop() == (0, "")


class Stopping:
    """The operations of a centre, of which one stops something when it is asked for the third portion."""

    def __init__(self, shell: Shell, stop: Any) -> None:
        self.centre = open_centre(shell.url)
        self.asked = 0
        self._stop = stop
        self._real = operations(self.centre)

    def served(self) -> dict[str, Operation]:
        return {**self._real, "import-rows": self._rows}

    def _rows(self, arguments: Any) -> Any:
        self.asked += 1
        answer = self._real["import-rows"](arguments)
        if self.asked == 3:
            self._stop()
        return answer


MANY = {**BASE, "patients": [{"patient_id": f"M-{n}", "name": f"환자{n}"} for n in range(1600)]}


@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_after_the_request_under_way_and_a_second_run_completes_it(alone: Shell, how, code):
    file = written(alone, MANY)
    stopping = Stopping(alone, lambda: os.kill(os.getpid(), how))
    server = ControlServer(socket_path(alone.path), lambda _: stopping.served())
    server.start()
    report = json.loads(alone("import", file, "--json", code=code))
    # Exams and site, then five hundred patients: the third request has its answer.
    assert report["rows"]["patients"] == {"changed": 500, "unchanged": 0, "refused": 0, "waiting": 1100}
    assert "interrupted: 1100 rows were not reached" in alone.error
    (row,) = rows(alone, "select detail from audit where kind = 'import'")
    assert json.loads(row["detail"])["complete"] is False
    again = json.loads(alone("import", file, "--json"))
    assert again["rows"]["patients"] == {"changed": 1100, "unchanged": 500, "refused": 0, "waiting": 0}
    server.stop()
    stopping.centre.store.close()


def test_a_service_that_stops_in_the_middle_is_told_and_a_second_run_completes_it(alone: Shell):
    file = written(alone, MANY)
    stopping = Stopping(alone, lambda: server.stop())
    server = ControlServer(socket_path(alone.path), lambda _: stopping.served())
    server.start()
    alone("import", file, code=2)
    assert "the service has ended" in alone.error
    assert "rows were taken before, 1100 were not reached: import the document again" in alone.error
    stopping.centre.store.close()
    report = json.loads(alone("import", file, "--json"))
    assert report["rows"]["patients"] == {"changed": 1100, "unchanged": 500, "refused": 0, "waiting": 0}


@pytest.mark.processes
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_at_once_while_it_waits_for_standard_input(tmp_path: Path, how: int):
    waiting = subprocess.Popen(
        [*COMMAND, "import", "--database", f"sqlite:///{tmp_path}/centre.db", "-"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert waiting.stdin
    os.set_blocking(waiting.stdin.fileno(), False)
    _fill(waiting.stdin.fileno())
    waiting.send_signal(how)
    _, error = waiting.communicate()
    assert (waiting.returncode, b"Traceback" in error, b"interrupted" in error) == (128 + how, False, True)
    assert not (tmp_path / "centre.db").exists()


def _fill(pipe: int) -> None:
    """Writes until the other end has begun to read: more than the pipe holds."""
    written = 0
    while written < 1024 * 1024:
        select.select([], [pipe], [])
        with contextlib.suppress(BlockingIOError):
            written += os.write(pipe, b" " * 4096)


@pytest.mark.processes
def test_a_terminal_shows_how_far_it_is_and_a_file_gets_words_alone(tmp_path: Path):
    file = tmp_path / "hospital.json"
    file.write_text(json.dumps(BASE))
    command = [*COMMAND, "import", "--database", f"sqlite:///{tmp_path}/centre.db", str(file)]
    master, slave = os.openpty()
    subprocess.run(command, stderr=slave, stdout=subprocess.PIPE, check=True)
    os.close(slave)
    shown = os.read(master, 100_000).decode()
    os.close(master)
    assert "reading" in shown
    assert "taking" in shown
    assert "100%" in shown
    assert subprocess.run(command, capture_output=True, check=True).stderr == b""


# A reader of docs/import.md alone brings a hospital in.

PAGE = (Path(__file__).parents[4] / "docs/import.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    """The blocks of code of the page in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_examples_of_the_page_are_taken_whole_in_their_order(alone: Shell):
    take(alone, {})
    site, document = blocks("json")
    for name, text in {"site.json": site, **dict(zip("abc", blocks("csv"), strict=True)), "d": document}.items():
        file = written(alone, text, name)
        assert json.loads(alone("import", file, "--check", "--force", "--json"))["refused"] == 0
        assert json.loads(alone("import", file, "--force", "--json"))["refused"] == 0
    counts = {table: len(rows(alone, f"select * from {table}")) for table in ("exams", "patients", "bindings")}
    assert counts == {"exams": 3, "patients": 2, "bindings": 3}


@pytest.mark.parametrize("kind", list(Kind))
def test_the_page_has_a_line_for_every_field_and_for_no_other(kind: Kind):
    (section,) = re.findall(rf"^### `{kind}`\n(.*?)(?=^##)", PAGE, re.MULTILINE | re.DOTALL)
    assert tuple(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == FIELDS[kind]


def test_the_page_names_every_member_of_the_report(alone: Shell):
    members = json.loads(alone("import", written(alone, BASE), "--json"))
    (table,) = re.findall(r"^\| member \| holds \|\n(.*?)\n\n", PAGE, re.MULTILINE | re.DOTALL)
    first_column = "".join(re.findall(r"^\|(.*?)\|", table, re.MULTILINE))
    assert set(re.findall(r"`(\w+)`", first_column)) == set(members)


@pytest.mark.parametrize(
    "spelling", re.findall(r"`([^`]+)`", PAGE.partition("| written as | means |")[2].partition("\n\n")[0])
)
def test_every_spelling_of_a_date_on_the_page_is_read(spelling: str):
    assert iso_moment(spelling)
