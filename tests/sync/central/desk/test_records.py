"""Two records side by side before a merge, and copies of tickets."""

from __future__ import annotations

from typing import Any

import msgspec

from sync.central.desk.merge_preview import preview_merge
from sync.central.desk.ticket import copy_ticket
from sync.central.records.web_settings import read_web_settings, write_web_settings
from sync.central.services.errors import ApiError
from sync.central.services.merge import merge_patients
from sync.central.services.requests import ActionRequest
from sync.central.services.told import Told
from sync.ids import new_id
from tests.sync.central.centre import Centre
from tests.sync.central.desk.asking import KIM, Desk, value


def previewed(centre: Centre, kept: str, gone: str) -> dict[str, Any]:
    found = preview_merge(centre.parts, kept, gone)
    assert isinstance(found, Told)
    assert set(found.patients) == {kept, gone}
    return dict(msgspec.json.decode(msgspec.json.encode(found.value)))


def merged(centre: Centre, kept: str, gone: str, seen: str) -> dict[str, Any]:
    request = ActionRequest("merge", new_id(), {"patient_id": gone, "seen": seen})
    return value(merge_patients(centre.parts, KIM, kept, request))


def everything(centre: Centre) -> dict[str, list[dict[str, Any]]]:
    tables = ("patients", "patient_aliases", "journeys", "entries", "appointments", "bindings", "visits", "exceptions")
    return {each: centre.rows(f"select * from {each} order by 1") for each in (*tables, "transitions", "counters")}


def test_a_preview_shows_what_the_merge_makes_and_writes_nothing(desk: Desk, centre: Centre):
    gone = desk.register(name="환자01", birth_date="1970-01-01", seen_doubles=["P01"], walk_in=True)["patient_id"]
    before = everything(centre)
    shown = previewed(centre, "P01", gone)
    assert everything(centre) == before
    assert (shown["kept"]["patient_id"], shown["gone"]["patient_id"]) == ("P01", gone)
    assert shown["after"]["other_ids"] == [gone]
    assert [each["queue_number"] for each in shown["after"]["entries"]] == ["C-001"]
    assert shown["conflicts"] == []
    assert merged(centre, "P01", gone, shown["seen"])["merged"] == gone
    assert desk.person(gone) == shown["after"]


def test_a_merge_of_other_records_than_those_on_the_screen_is_refused(desk: Desk, centre: Centre):
    gone = desk.register(name="Anna Berg")["patient_id"]
    seen = previewed(centre, "P01", gone)["seen"]
    desk.walk_in(gone)
    assert merged(centre, "P01", gone, seen)["code"] == "changed_meanwhile"
    assert desk.person(gone)["patient_id"] == gone


def test_conflicts_are_named(desk: Desk, centre: Centre):
    gone = desk.register(name="Anna Berg", birth_date="1990-01-01", walk_in=True, exam_id="blood")["patient_id"]
    centre.walk("P01", "scan_nfc", "register", "confirm_arrival")
    assert previewed(centre, "P01", gone)["conflicts"] == ["other_name", "other_birth_date", "two_visits", "same_line"]
    assert "number_is_lost" in previewed(centre, gone, "P01")["conflicts"]


def test_a_preview_of_one_record_or_of_nobody_is_refused(centre: Centre):
    for gone, code in (("P01", "same_patient"), ("nobody", "unknown_patient")):
        found = preview_merge(centre.parts, "P01", gone)
        assert isinstance(found, ApiError)
        assert found.code == code


def ticket(centre: Centre, queue_id: str) -> dict[str, Any]:
    found = copy_ticket(centre.parts, KIM, queue_id)
    assert isinstance(found, Told), found
    return dict(msgspec.json.decode(msgspec.json.encode(found.value)))


def test_a_copy_of_a_ticket_has_the_number_that_the_patient_has_already(desk: Desk, centre: Centre):
    place = desk.register(name="Anna Berg", walk_in=True, exam_id="blood")["in_line"]
    counted = centre.rows("select * from counters where name like 'queue%'")
    first = ticket(centre, place["queue_id"])
    assert (first["queue_number"], first["exam_name"], first["room"]) == ("C-001", "Blood test", "1")
    assert (first["masked_name"], first["code"]) == ("A**a B**g", None)
    assert ticket(centre, place["queue_id"]) == first
    assert centre.rows("select * from counters where name like 'queue%'") == counted


def test_each_copy_has_a_code_of_its_own_where_the_site_shows_codes(desk: Desk, centre: Centre):
    with centre.store.write() as db:
        settings = read_web_settings(db)
        write_web_settings(db, type(settings)("https://checkin.example"))
    place = desk.register(name="Anna Berg", walk_in=True)["in_line"]
    codes = [ticket(centre, place["queue_id"])["code"]["path"] for _ in range(2)]
    assert codes[0] != codes[1]
    rows = centre.rows("select role, patient_id from tokens where role = 'visit'")
    assert [row["patient_id"] for row in rows] == [place["patient_id"]] * 2


def test_an_entry_that_is_over_has_no_ticket(desk: Desk, centre: Centre):
    place = desk.register(name="Anna Berg", walk_in=True)["in_line"]
    centre.walk(place["patient_id"], "cancel_appointment")
    for queue_id, code in ((place["queue_id"], "not_allowed"), (new_id(), "not_found")):
        found = copy_ticket(centre.parts, KIM, queue_id)
        assert isinstance(found, ApiError)
        assert found.code == code
