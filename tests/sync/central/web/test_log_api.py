"""The access log over REST: an administrator alone reads it, each look at it is a row, and bad input is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from sync.central.maintenance.log_sealing import seal_log
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.duties import Duty
from tests.sync.central.centre import Centre
from tests.sync.central.log_chain import add_block, add_rows
from tests.sync.central.online import API, Online
from tests.sync.central.staff.people import headers_of, person

LOG = f"{API}/access-log/"
CALLS = (("POST", "search/"), ("GET", "state/"), ("POST", "verify/"))


@pytest.fixture
def online(tmp_path: Path) -> Iterator[Online]:
    made = Online(tmp_path, centre=Centre(tmp_path))
    yield made
    made.close()


class Reader:
    """An administrator who reads the log."""

    def __init__(self, online: Online) -> None:
        self.online = online
        self.who = person(online, Duty.ADMINISTRATOR, login="office")
        self.headers = headers_of(online, self.who)

    def call(self, method: str, path: str, **body: Any) -> requests.Response:
        more = {"json": body} if method == "POST" else {}
        return self.online.call(method, f"{LOG}{path}", headers=self.headers, **more)

    def search(self, **query: Any) -> dict[str, Any]:
        answer = self.call("POST", "search/", **query)
        assert answer.ok, answer.text
        return dict(answer.json())


@pytest.fixture
def reader(online: Online) -> Reader:
    return Reader(online)


@pytest.mark.parametrize("call", CALLS)
def test_nobody_else_reads_it(online: Online, call: tuple[str, str]):
    method, path = call
    body = {"json": {}} if method == "POST" else {}
    nurse = headers_of(online, person(online, Duty.EXAM_ROOM, Duty.RECEPTION))
    assert online.call(method, LOG + path, headers=nurse, **body).status_code == 403
    assert online.call(method, LOG + path, online.staff, **body).status_code == 403
    assert online.call(method, LOG + path, online.own_token("P01"), **body).status_code == 403
    assert online.call(method, LOG + path, **body).status_code == 401


def test_a_patient_is_found_by_id_and_by_name_with_a_row_about_the_search(online: Online, reader: Reader):
    add_rows(online.centre, 3)
    by_id = reader.search(patient="P02")
    assert ([row["patients"] for row in by_id["rows"]], by_id["names"]) == ([["P02"]], {"P02": "환자02"})
    by_name = reader.search(patient="환자02", kind="look:current")
    assert [row["audit_id"] for row in by_name["rows"]] == [row["audit_id"] for row in by_id["rows"]]
    (look,) = reader.search(kind="look:access-log")["rows"]
    assert (look["who"].split(" ")[0], look["patients"], look["detail"]["from"]) == (
        "staff:office",
        ["P02"],
        "127.0.0.1",
    )


def test_people_and_kiosks_are_named_beside_what_the_row_has_and_found_by_name(online: Online, reader: Reader):
    nurse = person(online, Duty.RECEPTION, name="박지훈", login="park.jh")
    with online.centre.store.write() as db:
        for who in ("staff:park.jh", "staff:park.jh (0123456789ab)", "staff:gone"):
            note(db, who, AuditKind.LOOK_DESK, online.centre.clock(), patient_id="P01")
    found = reader.search(who=nurse.name)
    assert [row["who"] for row in found["rows"]] == ["staff:park.jh"]
    assert found["doers"] == {"staff:park.jh": "박지훈"}
    everyone = reader.search(kind="look:desk")
    assert len(everyone["rows"]) == 3
    assert everyone["doers"] == {"staff:park.jh": "박지훈"}


def test_a_search_for_a_patient_without_rows_is_a_look_at_the_patient(reader: Reader):
    assert reader.search(patient="P07")["rows"] == []
    (look,) = reader.search(kind="look:access-log")["rows"]
    assert look["patients"] == ["P07"]


def test_rows_that_are_taken_away_are_noted_as_such(online: Online, reader: Reader):
    add_rows(online.centre, 1)
    reader.search(export=True)
    assert [row["patients"] for row in reader.search(kind="look:access-log-export")["rows"]] == [["P01"]]


def test_a_page_is_limited_and_says_where_the_next_one_begins(online: Online, reader: Reader):
    add_rows(online.centre, 5)
    first = reader.search(kind="look:current", limit=3)
    rest = reader.search(kind="look:current", limit=3, before=first["before"])
    assert (len(first["rows"]), len(rest["rows"]), rest["before"]) == (3, 2, None)


def test_a_period_has_its_first_and_its_last_day(online: Online, reader: Reader):
    for day in ("2026-02-27", "2026-02-28", "2026-03-01"):
        online.centre.clock.set(day, "23:59")
        add_rows(online.centre, 1)
    online.centre.clock.set("2026-03-02", "09:00")
    found = reader.search(since="2026-02-28", until="2026-03-01", kind="look:current")
    assert [row["at"][:10] for row in found["rows"]] == ["2026-02-28", "2026-03-01"]


def test_empty_fields_of_a_form_limit_nothing(online: Online, reader: Reader):
    add_rows(online.centre, 1)
    assert reader.search(patient="", who="", kind="look:current", since="", until="", before=None)["rows"]


WRONG: tuple[dict[str, Any], ...] = (
    {"since": "yesterday"},
    {"until": "2026-13-01"},
    {"limit": 0},
    {"limit": 501},
    {"limit": "many"},
    {"patient": 7},
    {"patient": "x" * 201},
    {"who": ["a"]},
    {"export": "yes"},
)


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_a_wrong_search_is_refused(reader: Reader, wrong: dict[str, Any]):
    answer = reader.call("POST", "search/", **wrong)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


@pytest.mark.parametrize("place", [7, "x", {}, {"block": -1}, {"block": 1}, {"block": "1", "digest": "x"}])
def test_a_wrong_place_of_a_verification_is_refused(reader: Reader, place: object):
    assert reader.call("POST", "verify/", place=place).status_code == 400


def test_the_state_and_a_verification_in_parts(online: Online, reader: Reader):
    block = add_block(online.centre)
    state = reader.call("GET", "state/").json()
    assert (state["block"], state["digest"], state["verified_at"]) == (block.block, block.digest, None)
    place, faults, ended = None, [], False
    while not ended:
        part = reader.call("POST", "verify/", place=place).json()
        place, ended = part["place"], part["ended"]
        faults += part["faults"]
    assert (place["block"], faults) == (block.block, [])
    with online.centre.store.write() as db:
        db.execute("update audit set who = 'nobody' where block = 1 and patient_id = 'P01'")
    part = reader.call("POST", "verify/").json()
    assert [(fault["kind"], fault["block"]) for fault in part["faults"]] == [("row_changed", 1)]


def test_a_row_about_several_patients_is_found_by_each_and_names_all(online: Online, reader: Reader):
    with online.centre.store.write() as db:
        detail = {"patient_ids": ["P01", "P02"]}
        note(db, "staff:1", AuditKind.LOOK_QUEUE, online.centre.clock(), detail=detail)
    seal_log(online.centre.parts, at_once=True)
    found = reader.search(patient="P02", kind="look:queue")
    assert (found["rows"][0]["patients"], found["asked"], found["names"]) == (
        ["P01", "P02"],
        ["P02"],
        {"P02": "환자02"},
    )
    assert found["rows"][0]["block"] == 1
