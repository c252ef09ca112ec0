"""A field that a row leaves out is unchanged, and a field that is null is removed."""

from __future__ import annotations

from typing import Any

import pytest

from sync.central.imports.portion import PortionRow
from sync.central.records.exams import read_exam
from tests.sync.central.centre import Centre
from tests.sync.central.imports.rows import patient_columns, patient_row, sent, take, taken

ANNA = {"name": "Anna Berg", "language": "en", "birth_date": "1980-01-02", "masked_name": "A. B."}


@pytest.fixture
def anna(centre: Centre) -> Centre:
    taken(centre, patient_row("anna", **ANNA))
    assert patient_columns(centre, "anna") == ANNA
    return centre


def test_a_patients_row_with_the_name_alone_leaves_the_rest(anna: Centre):
    (again,) = taken(anna, patient_row("anna", name="Anna Berg"))
    assert not again.changed
    assert patient_columns(anna, "anna") == ANNA


@pytest.mark.parametrize(("field", "value"), [("language", "ko"), ("birth_date", None), ("masked_name", "A**a B**g")])
def test_a_field_of_a_patient_that_is_null_is_removed(anna: Centre, field: str, value: str | None):
    (result,) = taken(anna, patient_row("anna", **{field: None}))
    assert result.changed
    assert patient_columns(anna, "anna") == ANNA | {field: value}


def test_a_new_patient_has_the_first_language_of_the_site(centre: Centre):
    taken(centre, sent("site", languages=["en", "ko"]), patient_row("new", name="Sample Person"))
    assert patient_columns(centre, "new")["language"] == "en"


def test_a_masked_name_that_was_made_follows_the_name_and_a_given_one_stays(anna: Centre):
    taken(anna, patient_row("ben", name="Ben Cole"))
    taken(anna, patient_row("ben", name="Ben Dorn"), patient_row("anna", name="Anna Dorn"))
    assert patient_columns(anna, "ben")["masked_name"] == "B*n D**n"
    assert patient_columns(anna, "anna")["masked_name"] == "A. B."


def test_an_exam_keeps_what_its_row_leaves_out(centre: Centre):
    taken(centre, sent("exams", exam_id="sleep", minutes=45))
    taken(centre, sent("exams", exam_id="sleep", room="202"))
    with centre.store.read() as db:
        exam = read_exam(db, "sleep")
    assert exam is not None
    assert (exam.title, exam.public_label, exam.room, exam.minutes, exam.overnight) == (
        *("Sleep study", "Ward"),
        *("202", 45, True),
    )
    taken(centre, sent("exams", exam_id="sleep", minutes=None, overnight=None, room=None))
    with centre.store.read() as db:
        exam = read_exam(db, "sleep")
    assert exam is not None
    assert (exam.title, exam.room, exam.minutes, exam.overnight) == ("Sleep study", "", 10, False)


def test_a_site_keeps_what_its_row_leaves_out(centre: Centre):
    settings: dict[str, Any] = {
        "timezone": "Europe/Berlin",
        "day_starts_at": "05:00",
        "ticket_prefix": "Z",
        "languages": ["en"],
    }
    settings["refuse_short_uids"] = True
    taken(centre, sent("site", **settings))
    taken(centre, sent("site", name="Another name", desk="desk"))
    shown = centre.do("site")
    assert {name: shown[name] for name in settings} == settings
    taken(centre, sent("site", timezone=None, day_starts_at=None, ticket_prefix=None, languages=None))
    taken(centre, sent("site", refuse_short_uids=None))
    shown = centre.do("site")
    assert shown["refuse_short_uids"] is False
    assert (shown["timezone"], shown["day_starts_at"], shown["ticket_prefix"]) == ("Asia/Seoul", "04:00", "C")
    assert (shown["name"], shown["languages"]) == ("Another name", ["ko", "en"])


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (patient_row("new"), "a new patient needs a name"),
        (patient_row("P01", name=None), "name"),
        (patient_row("P01", name=""), "name"),
        (sent("exams", exam_id="new", title="t"), "needs title and public_label"),
        (sent("exams", exam_id="blood", title=None), "title"),
        (sent("site", desk="nowhere"), "not among the exams"),
        (sent("site", name=None), "name"),
        (sent("appointments", appointment_id="new", patient_id="P01", exam_id="blood"), "scheduled_at is missing"),
        (sent("appointments", appointment_id="new", scheduled_at="2026-03-02T09:00"), "patient_id"),
    ],
)
def test_what_a_new_record_needs_is_asked_for_and_what_cannot_be_removed_stays(
    centre: Centre, row: PortionRow, said: str
):
    (result,) = take(centre, row)
    assert said in result.refused
