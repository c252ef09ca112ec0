"""Visits as rows: their ids, their order within a day, their arrival, and their corrections by staff."""

from __future__ import annotations

from msgspec.structs import replace

from sync.central.records.journeys import add_correction
from sync.central.records.visits import (
    VisitRow,
    add_visit,
    add_visit_alias,
    is_visit_of,
    read_visit,
    set_arrival,
    set_earlier_arrival,
)
from sync.journey.model import Journey, PatientId, VisitId
from tests.sync.central.centre import DAY, Centre

ON_VISIT = Journey(PatientId("P01"), "ARRIVED", DAY, VisitId("v1"), journey_version=5)


def arrival(centre: Centre, visit_id: str) -> object:
    return centre.rows("select opened_ms from visits where visit_id = :id", id=visit_id)[0]["opened_ms"]


def test_a_visit_is_read_by_its_own_id_and_by_an_alias(centre: Centre):
    with centre.store.write() as db:
        add_visit(db, "v1", "P01", DAY, 10, 1)
        add_visit_alias(db, "v2", "v1", 20)
        assert read_visit(db, "v1") == VisitRow(VisitId("v1"), PatientId("P01"), DAY, 0, merged=False, denied=False)
        assert read_visit(db, "v2") == read_visit(db, "v1")
        assert read_visit(db, "v3") is None
        assert is_visit_of(db, "v2", "P01")
        assert not is_visit_of(db, "v2", "P02")
        assert not is_visit_of(db, "v3", "P01")


def test_a_visit_has_the_version_of_its_last_correction_and_the_mark_of_a_merge(centre: Centre):
    with centre.store.write() as db:
        add_visit(db, "v1", "P01", DAY, 10, 1)
        for version in (5, 4):
            add_correction(db, replace(ON_VISIT, journey_version=version))
        db.execute("insert into merged_visits values ('v1', 0)")
        assert read_visit(db, "v1") == VisitRow(VisitId("v1"), PatientId("P01"), DAY, 5, merged=True, denied=False)


def test_a_new_visit_comes_after_the_highest_of_its_day_also_where_a_merge_left_a_hole(centre: Centre):
    with centre.store.write() as db:
        add_visit(db, "v1", "P01", DAY, 10, 1)
        db.execute("update visits set ordinal = 4")
        add_visit(db, "v2", "P01", DAY, 20, 2)
        add_visit(db, "v3", "P02", DAY, 20, 1)
    rows = centre.rows("select visit_id, ordinal from visits order by visit_id")
    assert [tuple(row.values()) for row in rows] == [("v1", 4), ("v2", 5), ("v3", 1)]


def test_an_arrival_is_replaced_at_will_or_by_an_earlier_one_alone(centre: Centre):
    with centre.store.write() as db:
        add_visit(db, "v1", "P01", DAY, 10, 1)
        set_earlier_arrival(db, "v1", 11)
    assert arrival(centre, "v1") == 10
    with centre.store.write() as db:
        set_earlier_arrival(db, "v1", 9)
    assert arrival(centre, "v1") == 9
    with centre.store.write() as db:
        set_arrival(db, "v1", 12)
    assert arrival(centre, "v1") == 12
