"""The audit, read: by patient under every id, by bearer, by kind, by time and page by page. To read it is noted."""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sync.central.commands.main import main
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.control import ControlError
from sync.ids import uuid7
from tests.sync.central.centre import Centre
from tests.sync.central.door.marked import ANNA, BORIS, CLARA, DORA, Marked


@pytest.fixture
def marked(tmp_path: Path) -> Iterator[Marked]:
    made = Marked(tmp_path)
    yield made
    made.centre.store.close()


def kinds(marked: Marked, **search: Any) -> list[str]:
    return [row["kind"] for row in marked.centre.do("access-log", **search)["rows"]]


def test_a_patient_is_found_in_rows_about_one_and_about_several(marked: Marked):
    marked.centre.do("bindings", patient_id=ANNA)
    marked.centre.do("exceptions")
    marked.centre.do("bindings", patient_id=CLARA)
    assert set(kinds(marked, patient=ANNA)) == {"look:bindings", "look:exceptions"}
    assert set(kinds(marked, patient=BORIS)) == {"look:exceptions", "look:access-log"}
    assert kinds(marked, patient="MARK-ANN") == []
    assert kinds(marked, patient="mark-anna") == []
    assert "MARK-ANNA" in json.dumps(marked.centre.do("access-log"))


def test_a_patient_is_found_under_the_id_of_a_merged_record(marked: Marked):
    marked.centre.do("bindings", patient_id=DORA)
    with marked.centre.store.write() as db:
        db.execute("delete from journeys where patient_id = :id", {"id": DORA})
        db.execute("delete from patients where patient_id = :id", {"id": DORA})
        db.execute("insert into patient_aliases values (:dora, :anna, 0, 0)", {"dora": DORA, "anna": ANNA})
    for named in (ANNA, DORA):
        assert "look:bindings" in kinds(marked, patient=named)


def test_an_id_that_nobody_has_any_more_is_still_found(marked: Marked):
    with marked.centre.store.write() as db:
        note(db, "staff:1", AuditKind.LOOK_STATE, 0, patient_id='gone "quoted"')
    assert kinds(marked, patient='gone "quoted"') == ["look:current_state"]


def at(centre: Centre, *times: str, who: str = "staff:1") -> None:
    """A row at each local time of the day of the test."""
    for time in times:
        centre.clock.set("2026-03-02", time)
        with centre.store.write() as db:
            note(db, who, AuditKind.LOOK_STATE, centre.clock(), patient_id=ANNA)
            db.execute(
                "update audit set audit_id = :id where at_ms = :at_ms",
                {"id": uuid7(centre.clock(), b"0123456789"), "at_ms": centre.clock()},
            )


def test_rows_are_found_by_time_by_bearer_and_by_kind(marked: Marked):
    at(marked.centre, "09:10", "09:20", "09:30")
    at(marked.centre, "09:40", who="staff:Ward 3 (1a2b)")
    assert len(kinds(marked, since="2026-03-02T09:20", kind="look:current")) == 3
    assert len(kinds(marked, since="2026-03-02", who="staff:1")) == 3
    assert kinds(marked, since="2026-03-03") == []
    assert kinds(marked, who="1a2b") == ["look:current_state"]
    assert kinds(marked, kind="told") == []


@pytest.mark.parametrize("since", ["yesterday", "2026-13-01", "2026-03-02T", "2026-03-02T25:00", "0000-01-01"])
def test_a_time_that_is_none_is_refused_or_means_the_day(marked: Marked, since: object):
    if since == "2026-03-02T":
        assert kinds(marked, since=since) == []
        return
    with pytest.raises(ControlError, match="is no date or time such as 2026-12-01"):
        marked.centre.do("access-log", since=since)


def test_the_newest_rows_come_page_by_page(marked: Marked):
    at(marked.centre, "09:10", "09:20", "09:30")
    newest = marked.centre.do("access-log", limit=2, who="staff:1")
    assert [row["at"][11:16] for row in newest["rows"]] == ["09:20", "09:30"]
    oldest = marked.centre.do("access-log", limit=2, who="staff:1", before=newest["before"])
    assert ([row["at"][11:16] for row in oldest["rows"]], oldest["before"]) == (["09:10"], None)


def test_to_read_the_log_leaves_a_row_with_its_patients(marked: Marked):
    at(marked.centre, "09:10")
    marked.centre.do("access-log")
    (row,) = marked.centre.rows("select who, patient_id from audit where kind = 'look:access-log'")
    assert row == {"who": "command line", "patient_id": ANNA}


def test_before_there_is_a_hospital_the_log_can_be_read(tmp_path: Path):
    centre = Centre(tmp_path, filled=False)
    centre.do("enroll-code")
    (row,) = centre.do("access-log", since="2026-01-01")["rows"]
    assert (row["kind"], row["at"][-6:]) == ("enroll-code", "+00:00")
    centre.store.close()


def test_the_command_shows_time_kind_bearer_patients_and_detail(marked: Marked, capsys: pytest.CaptureFixture[str]):
    many = [f"P-{number:02d}" for number in range(13)]
    with marked.centre.store.write() as db:
        detail = {"from": "192.0.2.1", "channel": "rest", "patient_ids": many, "absent": None}
        note(db, "staff:Ward 3 (1a2b)", AuditKind.LOOK_QUEUE, marked.centre.clock() - 1000, detail=detail)
        enrolled = {"from": "192.0.2.2", "actions": ["scan_nfc", "register"]}
        note(db, "lobby", AuditKind.ENROLLED, marked.centre.clock(), detail=enrolled)
    marked.centre.store.close()
    lines, error = run(["access-log", "show", "--database", marked.centre.url, "--limit", "2"], capsys)
    shown = " ".join(many[:10])
    assert lines == [
        f"2026-03-02T08:59:59+09:00  look:queue             staff:Ward 3 (1a2b)  {shown} and 3 more"
        "  from=192.0.2.1  channel=rest",
        "2026-03-02T09:00:00+09:00  enrolled               lobby  -  from=192.0.2.2  actions=scan_nfc,register",
    ]
    assert error == ""
    _, error = run(["access-log", "show", "--database", marked.centre.url, "--limit", "1"], capsys)
    assert error.startswith("older rows follow: --before ")
    found = json.loads("\n".join(run(["access-log", "show", "--database", marked.centre.url, "--json"], capsys)[0]))
    assert found["rows"][0]["patients"] == many
    marked.centre.open()
    assert {row["who"] for row in marked.centre.rows("select who from audit where kind = 'look:access-log'")} <= {
        f"command line:{pwd.getpwuid(os.getuid()).pw_name}"
    }


def run(typed: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[list[str], str]:
    with pytest.raises(SystemExit) as ended:
        main(typed)
    out, error = capsys.readouterr()
    assert not ended.value.code, error
    return out.splitlines(), error
