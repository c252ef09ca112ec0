"""The way back: the old tables are as they were, with what has come since, and Django reads them."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from sync.central.legacy.layout import Kind
from sync.central.services.merge import merge
from sync.central.store.errors import StoreError
from sync.ids import new_id
from sync.journey.model import PatientId
from tests.sync.central.legacy import old_system
from tests.sync.central.legacy.way import NOW_MS, Way

WALK = ("scan_nfc", "register", "confirm_arrival", "call_patient", "start_exam")


def test_over_and_back_leaves_every_row_as_it_was(way: Way):
    before = way.old_rows()
    way.migrate()
    given = way.revert()
    assert way.old_rows() == before
    assert given is not None
    assert sum(given.changed.values()) == sum(given.born.values()) == 0
    assert {way.layout.tables[kind].table: rows for kind, rows in given.same.items()} == {
        table: len(rows) for table, rows in before.items() if table != "auth_user"
    }


def test_what_has_come_since_is_there_in_the_old_names_and_django_reads_it(way: Way):
    way.migrate()
    with way.centre() as centre:
        centre.take(
            {
                "patients": [{"patient_id": "N1", "name": "New"}],
                "appointments": [
                    {"appointment_id": "N-7", "patient_id": "N1", "exam_id": "xray", "scheduled_at": "2026-03-02T11:00"}
                ],
            }
        )
        centre.walk("N1", *WALK)
        waiting = centre.rows("select patient_id from journeys where state = 'WAITING' order by patient_id")
        centre.walk(waiting[0]["patient_id"], "call_patient", "start_exam")
        numbers = centre.rows("select queue_number from entries where patient_id = 'N1'")
    before = old_system.run("read", way.old)
    given = way.revert()
    after = old_system.run("read", way.old)
    assert given is not None
    assert given.born == {Kind.APPOINTMENT: 1, Kind.QUEUE: 1, Kind.PATIENT: 1, Kind.TRANSITION: 7, Kind.LOG: 5}
    assert (given.changed[Kind.QUEUE], given.changed[Kind.PATIENT]) == (1, 1)
    states = dict(after["states"])
    assert states["N1"] == states[waiting[0]["patient_id"]] == "ONGOING"
    assert after["queue"][-1][1:] == ["xray", "ongoing", numbers[0]["queue_number"]]
    assert after["transitions"] == before["transitions"] + 7
    assert after["logs"] == before["logs"] + 5
    moved = [pair for pair in zip(before["states"], after["states"], strict=False) if pair[0] != pair[1]]
    assert [pair[0][0] for pair in moved] == [waiting[0]["patient_id"]]
    old_system.run("work", way.old)
    assert dict(old_system.run("read", way.old)["states"])["next-day"] == "WAITING"
    with way.opened_old() as old:
        history = old.read("select trigger_type, from_state, to_state from app_statetransition order by id")[-8:-1]
    assert ("staff_action", "CALLED", "ONGOING") in [tuple(row) for row in history]


def test_a_booking_that_has_moved_since_is_moved_there(way: Way):
    way.migrate()
    with way.centre() as centre:
        booking = {"appointment_id": "S1", "scheduled_at": "2027-05-05T08:00+09:00", "exam_id": "blood"}
        centre.take({"appointments": [booking]})
    given = way.revert()
    assert given is not None
    assert given.changed[Kind.APPOINTMENT] == 1
    with way.opened_old() as old:
        query = "select exam_id, cast(scheduled_at as text), status from app_appointment where appointment_id = 'S1'"
        exam, at, status = old.read(query)[0]
    assert (exam, at[:16], status) == ("blood", "2027-05-04 23:00", "confirmed")


def test_a_state_that_has_changed_or_is_new_has_the_time_of_that(way: Way):
    way.migrate()
    with way.centre() as centre:
        centre.take({"patients": [{"patient_id": "N1", "name": "New"}]})
        centre.walk("N1", "scan_nfc")
        centre.walk("S900011", "call_patient")
    way.revert()
    with way.opened_old() as old:
        rows = old.read(
            "select current_state, cast(p.updated_at as text) from app_patientstate p"
            " join auth_user u on u.id = p.user_id where u.username in ('N1', 'S900011') order by u.username"
        )
    assert [(state, at[:16]) for state, at in rows] == [("ARRIVED", "2026-03-02 01:05"), ("CALLED", "2026-03-02 01:05")]


def test_a_patient_whose_old_state_was_unknown_has_the_new_one(way: Way):
    way.migrate()
    with way.centre() as centre:
        centre.walk("S900011", "call_patient")
    way.revert()
    assert dict(old_system.run("read", way.old)["states"])["S900011"] == "CALLED"


def test_a_trial_of_the_way_back_says_the_same_and_changes_nothing(way: Way):
    way.migrate()
    with way.centre() as centre:
        centre.walk("S900011", "call_patient")
    before = way.old_rows()
    trial = way.revert(trial=True)
    assert way.old_rows() == before
    assert way.revert() == trial


def test_a_second_way_back_finds_everything_there(way: Way):
    way.migrate()
    with way.centre() as centre:
        centre.walk("S900011", "call_patient")
    way.revert()
    before = way.old_rows()
    assert way.revert() is None
    assert way.old_rows() == before


def test_of_two_records_that_were_merged_the_kept_one_has_what_came_since(way: Way):
    way.migrate()
    with way.centre() as centre, centre.store.write() as db:
        kept, gone = PatientId("S900011"), PatientId("S900014")
        merge(db, centre.parts.definitions, kept, gone, "2026-03-02", NOW_MS, new_id)
    with way.centre() as centre:
        centre.walk("S900014", "call_patient")
    given = way.revert()
    assert given is not None
    with way.opened_old() as old:
        users = old.read("select user_id from app_statetransition order by id desc limit 1")
    assert [str(row[0]) for row in users] == ["900011"]


def test_tables_that_were_emptied_are_filled_again(way: Way):
    before = way.old_rows()
    way.migrate()
    for kind in reversed(Kind):
        way.change_old(f"delete from {way.layout.tables[kind].table}")
    way.revert()
    assert way.old_rows() == before


@pytest.mark.parametrize(
    "sql",
    [
        "update app_queue set queue_number = 'other' where queue_id = 7",
        "delete from app_statetransition where id = 5",
        "insert into app_queuestatuslog (queue_id, previous_state, new_state, reason) values (7, 'a', 'b', 'c')",
    ],
)
def test_an_old_database_that_was_written_since_is_refused_and_stays(way: Way, sql: str):
    way.migrate()
    way.change_old(sql)
    before = way.old_rows()
    with pytest.raises(StoreError, match="has been written since the migration"):
        way.revert()
    assert way.old_rows() == before


def test_there_is_no_way_back_without_a_migration_or_after_the_old_rows_are_forgotten(way: Way):
    with pytest.raises(StoreError, match="no old database was migrated"):
        way.revert()
    way.migrate()
    rows = way.forget(trial=True)
    assert way.revert(trial=True) is not None
    assert way.forget() == rows > 500
    with pytest.raises(StoreError, match="were deleted by --forget"):
        way.revert()


def test_other_names_of_tables_and_columns_are_taken_from_a_layout(way: Way):
    way.change_old("alter table app_queue rename to warteschlange")
    way.change_old("alter table warteschlange rename column state to zustand")
    way.take_layout('[tables.queue]\ntable = "warteschlange"\ncolumns = { state = "zustand", wait = "" }\n')
    before = way.old_rows()
    way.migrate()
    assert way.health().ok
    with way.centre() as centre:
        centre.walk("S900011", "call_patient")
    way.revert()
    rows = way.old_rows()
    assert sum(a != b for a, b in zip(before["warteschlange"], rows["warteschlange"], strict=True)) == 1


def test_a_column_that_new_rows_need_is_told_at_the_trial_and_may_be_given_at_the_way_back(way: Way):
    way.take_layout("")
    assert way.migrate(trial=True).lacking == ["app_queue.priority"]
    way.migrate()
    with way.centre() as centre:
        centre.take({"patients": [{"patient_id": "N1", "name": "New"}]})
        centre.act("N1", "scan_nfc")
        centre.take({"exams": [{"exam_id": "blood", "title": "Blood", "public_label": "Blood"}]})
        centre.walk("N1", "register", "confirm_arrival")
    before = way.old_rows()
    with pytest.raises(StoreError, match="priority"):
        way.revert()
    assert way.old_rows() == before
    way.take_layout("[tables.queue.new]\npriority = 0.5\n")
    way.revert()
    assert dict(old_system.run("read", way.old)["states"])["N1"] == "WAITING"


def test_the_audit_says_who_went_over_and_back(way: Way):
    way.migrate()
    way.revert()
    with way.centre() as centre:
        rows = centre.rows("select who, at_ms, detail from audit where kind = 'migrate-legacy' order by audit_id")
    assert [(row["who"], row["at_ms"]) for row in rows] == [("an operator", NOW_MS)] * 2
    assert {*json.loads(rows[0]["detail"])} == {"taken", "settled", "bad"}


def test_what_happened_has_its_time_in_the_zone_of_the_old_system(way: Way):
    way.migrate()
    with way.centre() as centre:
        centre.walk("S900011", "call_patient")
    way.revert()
    with way.opened_old() as old:
        at = old.read("select cast(created_at as text) from app_statetransition order by id desc limit 1")[0][0]
    assert at.startswith((old_system.NOW + timedelta(minutes=5)).strftime("%Y-%m-%d %H:%M"))
