"""Texts of a row in their one form, and what is refused since nobody sees it or no calendar has it."""

from __future__ import annotations

import unicodedata
from datetime import date, timedelta

import pytest

from sync.central.imports.outcomes import RefusedRow
from sync.central.imports.parts import Kind, PatientPart, read_part
from tests.sync.central.centre import DAY, Centre
from tests.sync.central.imports.rows import patient_columns, patient_row, take, taken

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"


def read(**fields: object) -> PatientPart | RefusedRow:
    part = read_part(Kind.PATIENT, {"patient_id": "P-1", **fields})
    assert isinstance(part, PatientPart | RefusedRow)
    return part


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (unicodedata.normalize("NFD", "홍길동"), "홍길동"),
        ("  Anna\u00a0 ", "Anna"),
        (f"{FAMILY} 김", f"{FAMILY} 김"),
        ("\u0646\u06cc\u200c\u0627\u0632", "\u0646\u06cc\u200c\u0627\u0632"),
        ("O\u2019Hara", "O\u2019Hara"),
    ],
    ids=["decomposed", "spaces", "an emoji of several", "a joiner within a Persian word", "an apostrophe"],
)
def test_a_name_is_kept_in_one_form(given: str, kept: str):
    part = read(name=given)
    assert isinstance(part, PatientPart)
    assert part.name == kept


@pytest.mark.parametrize(
    "name",
    [
        "   ",
        "",
        "\u200b",
        "\u202e\u0645\u062d\u0645\u062f",
        "a\x00b",
        "a\nb",
        "\u200dA",
        "\ufeffAnna",
        "a\ue000",
        "\u2028",
    ],
    ids=[
        "blank",
        "empty",
        "no width",
        "direction",
        "nul",
        "line",
        "joiner at the edge",
        "mark",
        "private",
        "separator",
    ],
)
def test_a_name_that_holds_what_nobody_sees_is_refused(name: str):
    part = read(name=name)
    assert isinstance(part, RefusedRow)
    assert "name" in part.reason


@pytest.mark.parametrize(
    "born", ["1980-13-45", "1980-02-30", "19800102", "1980-1-2", "02.01.1980", "0000-01-01", "１９８０-01-02"]
)
def test_a_birth_date_is_a_date_of_the_calendar(born: str):
    assert read(birth_date=born) == RefusedRow("birth_date is no date of the calendar, such as 1958-03-02")


@pytest.mark.parametrize("tag", ["ko", "en-US", "zh-Hant-TW", "haw"])
def test_a_language_is_a_tag(tag: str):
    part = read(language=tag)
    assert isinstance(part, PatientPart)
    assert part.language == tag


@pytest.mark.parametrize("tag", ["German", "KO", "k", "", "한국어", "en_US", "ko\n-", "en-"])
def test_a_language_that_is_no_tag_is_refused(tag: str):
    assert isinstance(read(language=tag), RefusedRow)


def test_nobody_was_born_in_the_future(centre: Centre):
    # The day of the site may be one behind the calendar.
    today = date.fromisoformat(DAY)
    taken(centre, patient_row("P01", birth_date=str(today + timedelta(days=1))))
    (result,) = take(centre, patient_row("P01", birth_date=str(today + timedelta(days=2))))
    assert result.refused == "birth_date is in the future"


def test_an_id_is_one_id_in_every_spelling(centre: Centre):
    taken(centre, patient_row("환-1", name="First"))
    for spelling in (" 환-1", "환-1 ", unicodedata.normalize("NFD", "환-1")):
        taken(centre, patient_row(spelling, name=f"Name of {len(spelling)}"))
    rows = centre.rows("select patient_id from patients where patient_id like '환%'")
    assert [row["patient_id"] for row in rows] == ["환-1"]
    assert patient_columns(centre, "환-1")["name"].startswith("Name of")


@pytest.mark.parametrize(
    "fields", [None, [], "x", 3, {}, {"patient_id": ["x"]}, {"patient_id": None}, {"patient_id": "x" * 129}]
)
def test_a_row_of_another_shape_is_refused(centre: Centre, fields: object):
    row = patient_row("x")
    (result,) = take(centre, type(row)(row.kind, 1, fields))
    assert result.refused
