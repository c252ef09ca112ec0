"""Rows in portions: each taken or refused by itself, others between them, and a check that leaves nothing behind."""

from __future__ import annotations

import threading

import pytest

from sync.central.imports.portion import PortionRow, take_rows
from sync.central.opening import open_centre
from tests.sync.central.centre import DAY, Centre, hospital
from tests.sync.central.imports.rows import patient_columns, patient_row, sent, take, taken


def booking(number: int, **fields: object) -> PortionRow:
    row = {"appointment_id": f"B{number}", "patient_id": "P01", "exam_id": "blood", "scheduled_at": f"{DAY}T11:00"}
    return sent("appointments", number, **row | fields)


def test_one_bad_row_stops_none_of_the_others(centre: Centre):
    results = take(
        centre,
        booking(1),
        booking(2, scheduled_at="2026-06-30T23:59:60"),
        booking(3, patient_id="nobody"),
        booking(4, exam_id="nothing"),
        booking(5, unheard="of"),
        sent("appointments", 6),
        sent("patients", 7, patient_id="P02", birth_date="1980-13-45", name="Not Taken"),
        sent("patients", 8, patient_id="P02", birth_date="1980-12-31"),
        booking(9),
    )
    assert [bool(each.refused) for each in results] == [False, *[True] * 6, False, False]
    assert [each.line for each in results] == list(range(1, 10))
    for result, said in zip(
        results[1:7], ("ISO 8601", "nobody", "nothing", "unheard", "appointment_id", "birth_date"), strict=True
    ):
        assert said in result.refused
    assert patient_columns(centre, "P02")["name"] == "환자02"
    assert patient_columns(centre, "P02")["birth_date"] == "1980-12-31"
    rows = centre.rows("select appointment_id from appointments where appointment_id like 'B%' order by appointment_id")
    assert [row["appointment_id"] for row in rows] == ["B1", "B9"]


def test_a_refused_row_is_undone_whole_and_told_to_nobody(centre: Centre):
    told: list[str] = []
    with centre.store.news.listen("P01", lambda item: told.append(item.topic)):
        (result,) = take(centre, patient_row("P01", name="Other Name", cards=["04c0ffee00aaaa", "08c0ffee"]))
    assert "card 2 cannot be bound: it is a phone" in result.refused
    assert told == []
    assert patient_columns(centre, "P01")["name"] == "환자01"


@pytest.mark.parametrize("row", [patient_row("P01", name="Anna"), booking(1)])
def test_there_must_be_a_site_before_a_patient_or_a_booking(tmp_path, row):
    parts = open_centre(f"sqlite:///{tmp_path}/empty.db")
    (result,) = take_rows(parts, [row])
    assert result.refused.startswith("there is no site yet")
    parts.store.close()


def test_a_site_comes_into_force_for_the_rows_after_it(tmp_path):
    parts = open_centre(f"sqlite:///{tmp_path}/empty.db")
    document = hospital(DAY, 1)
    rows = [
        *(sent("exams", **each) for each in document["exams"]),
        sent("site", **document["site"]),
        *(sent("patients", **each) for each in document["patients"]),
        *(sent("appointments", **each) for each in document["appointments"]),
    ]
    assert [each.refused for each in take_rows(parts, rows)] == [""] * 8
    parts.store.close()


def test_another_writer_comes_between_the_rows(centre: Centre):
    """Rows enough for many portions; an action that asks for the writer in the middle does not wait for their end."""
    rows = [patient_row("P02", name="First"), *(patient_row(f"N{each}", name="Sample") for each in range(3000))]
    done: list[int] = []
    begun = threading.Event()

    def act() -> None:
        begun.wait(30)
        centre.walk("P01", "scan_nfc")
        done.append(centre.rows("select count(*) as n from patients")[0]["n"])

    thread = threading.Thread(target=act)
    with centre.store.news.listen("P02", lambda _: begun.set()):
        thread.start()
        taken(centre, *rows)
    thread.join()
    assert done[0] < 20 + len(rows[1:]), "the action was done before the last row"


def test_a_check_says_what_would_happen_and_leaves_nothing(centre: Centre):
    rows = [
        patient_row("new", name="Sample Person", cards=["04c0ffee00abcd"]),
        booking(1, patient_id="new"),
        booking(2, exam_id="no"),
    ]
    before = centre.rows("select * from counters")
    results = take(centre, *rows, check=True)
    assert [(each.changed, each.refused) for each in results] == [(True, ""), (True, ""), (False, "unknown exam: no")]
    assert centre.rows("select * from counters") == before
    assert centre.rows("select 1 from patients where patient_id = 'new'") == []


@pytest.mark.one_database
def test_the_patients_booked_for_an_exam_are_found_without_a_walk_over_all_bookings(centre: Centre):
    plan = centre.rows(
        "explain query plan select distinct patient_id from appointments where exam_id = 'x' and site_day in ('a', 'b')"
    )
    assert "appointments_of_exam (exam_id=? AND site_day=?)" in plan[0]["detail"]
