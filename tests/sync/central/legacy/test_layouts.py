"""Old databases that differ from Django's usual tables, and what a layout says of them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sync.central.legacy.old_database import open_old
from sync.central.store.errors import StoreError
from tests.sync.central.databases import Database
from tests.sync.central.legacy.way import Way

# The columns that every such system has, and no more: no times, and the number of a patient in each table.
BARE = """
create table app_patientstate (id integer primary key, user_id text, current_state text, is_logged_in integer,
    login_method text);
create table app_queue (queue_id integer primary key, user_id text, exam_id text, appointment_id text, state text,
    queue_number integer, estimated_wait_time integer);
create table app_statetransition (id integer primary key, user_id text, from_state text, to_state text,
    trigger_type text, trigger_source text, metadata text);
create table app_queuestatuslog (id integer primary key, queue_id integer, previous_state text, new_state text,
    reason text, changed_by integer, metadata text);
create table app_appointment (appointment_id text primary key, user_id text, exam_id text, scheduled_at text,
    status text);
insert into app_patientstate values (1, 'P1', 'ONGOING', 1, 'app'), (2, 'P2', 'UNREGISTERED', 0, '');
insert into app_appointment values ('A1', 'P1', 'blood', '2026-03-02 00:30:00', 'ongoing');
insert into app_queue values (17, 'P1', 'blood', 'A1', 'ongoing', 5, 12), (18, 'P2', 'xray', null, 'completed', 5, 0);
insert into app_statetransition values (1, 'P1', 'CALLED', 'ONGOING', 'auto', 'door', '{}');
insert into app_queuestatuslog values (1, 17, 'called', 'ongoing', 'door', 3, '{}');
"""


@pytest.fixture
def bare(tmp_path: Path) -> Way:
    """The way from a file with the bare columns."""
    with closing(sqlite3.connect(tmp_path / "old.sqlite3")) as made:
        made.executescript(BARE)
    way = Way(tmp_path, f"sqlite:///{tmp_path}/old.sqlite3", Database(f"sqlite:///{tmp_path}/centre.db"))
    way.take_layout('[users]\ntable = ""\n')
    return way


def test_tables_without_times_and_users_are_taken_and_come_back(bare: Way):
    before = bare.old_rows()
    done = bare.migrate()
    assert [each.reasons for each in done.tallies] == [()] * 5
    assert "app_queue.created_at" in done.absent
    with bare.centre() as centre:
        assert centre.state("P1")["journey_state"] == "IN_PROGRESS"
        days = centre.rows("select site_day, queue_number from entries order by queue_id")
    assert [tuple(row.values()) for row in days] == [("2026-03-02", "5"), ("2026-03-01", "5")]
    assert bare.health().ok
    bare.revert()
    assert bare.old_rows() == before


def test_new_rows_fit_columns_of_numbers(bare: Way):
    bare.migrate()
    with bare.centre() as centre:
        centre.take({"patients": [{"patient_id": "N1", "name": "New"}]})
        centre.walk("N1", "scan_nfc", "register", "confirm_arrival")
        number = centre.rows("select queue_number from entries where patient_id = 'N1'")[0]["queue_number"]
    assert number == "C-001"
    bare.revert()
    with bare.opened_old() as old:
        assert old.read("select * from app_queue where user_id = 'N1'") == [(19, "N1", "desk", None, "waiting", 1, 0)]
        logs = old.read("select queue_id, previous_state, new_state, changed_by from app_queuestatuslog where id > 1")
    assert logs == [(19, "", "waiting", None)]


def test_a_missing_table_of_users_is_told_with_what_to_do(bare: Way):
    bare.take_layout("")
    with pytest.raises(StoreError, match=r'no table auth_user with id and username\. Name it by --layout, or ""'):
        bare.migrate()


def test_an_exam_may_stand_in_a_table_of_its_own(way: Way):
    way.take_layout('[exams]\ntable = "app_exam"\nkey = "exam_id"\nid = "title"\n[tables.queue.new]\npriority = 0\n')
    before = way.old_rows()
    way.migrate()
    assert way.health().ok
    with way.centre() as centre:
        centre.take({"patients": [{"patient_id": "N1", "name": "New"}]})
        centre.walk("N1", "scan_nfc", "register", "confirm_arrival")
    with pytest.raises(StoreError, match="the exam desk is not in app_exam: add it"):
        way.revert()
    assert way.old_rows() == before
    way.change_old("insert into app_exam (exam_id, title) values ('walk-in', 'desk')")
    way.revert()
    with way.opened_old() as old:
        assert [tuple(row) for row in old.read("select exam_id from app_queue where exam_id = 'walk-in'")] == [
            ("walk-in",)
        ]


def test_a_reference_to_nothing_is_not_written_into_the_old_database(tmp_path: Path):
    with closing(sqlite3.connect(tmp_path / "old.sqlite3")) as made:
        made.execute("create table exam (id text primary key)")
        made.execute(
            "create table queue (id integer primary key, exam text references exam deferrable initially deferred)"
        )
    with open_old(f"sqlite:///{tmp_path}/old.sqlite3") as old:
        with pytest.raises(StoreError, match="FOREIGN KEY"), old.held(["queue"], writes=True):
            old.insert("queue", "id", {"exam": "nowhere"})
        assert old.count("queue") == 0
