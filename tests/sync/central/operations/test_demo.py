"""The demo hospital: made in an empty database, completed each day in its own, and refused in any other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.central.services.demo_hospital import demo_cards
from sync.control import ControlError
from tests.sync.central.centre import Centre

SETTINGS = ("name", "desk", "timezone", "day_starts_at", "languages", "ticket_prefix")


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Centre]:
    """A centre whose database is empty."""
    centre = Centre(tmp_path, filled=False)
    yield centre
    centre.store.close()


def test_the_demo_hospital_stands_alone(demo: Centre):
    patients = demo.do("demo-data")
    assert [set(each) for each in patients] == [{"patient_id", "uid", "masked_name", "language", "booked"}] * 9
    assert {each["patient_id"]: each["uid"] for each in patients} == demo_cards()
    assert len({each["uid"] for each in patients}) == len(patients)
    assert demo.do("site")["name"] == "가상 병원"


def test_it_is_made_once_and_booked_again_each_day(demo: Centre):
    first = demo.do("demo-data")
    assert demo.do("demo-data") == first
    assert sum(each["booked"] for each in first) == 8
    demo.clock.set("2026-03-03", "09:00")
    assert sum(each["booked"] for each in demo.do("demo-data")) == 8


def test_it_keeps_the_settings_that_an_operator_gave_its_site(demo: Centre):
    demo.do("demo-data")
    demo.do("site", name="A ward for training", ticket_prefix="T")
    demo.do("demo-data")
    settings = demo.do("site")
    assert (settings["name"], settings["ticket_prefix"]) == ("A ward for training", "T")


def everything(centre: Centre) -> list[list[dict]]:
    tables = ("site", "exams", "patients", "bindings", "appointments", "journeys", "counters", "audit")
    return [centre.rows(f"select * from {table}") for table in tables]


def refused(centre: Centre) -> None:
    before = everything(centre)
    with pytest.raises(ControlError, match="hospital that demo-data has not made"):
        centre.do("demo-data")
    assert everything(centre) == before


def test_a_database_with_a_real_hospital_is_refused_and_stays_as_it_was(centre: Centre):
    refused(centre)


def test_a_real_hospital_of_the_demos_name_is_refused_too(centre: Centre):
    centre.do("site", name="가상 병원")
    refused(centre)


def test_a_demo_hospital_that_became_a_real_one_by_an_import_is_refused(demo: Centre):
    demo.do("demo-data")
    demo.do("import-rows", rows=[{"kind": "site", "line": 1, "fields": {"name": "Real hospital"}}])
    refused(demo)
