"""An old database is taken into a centre: each row is there, or listed, and all are kept as they were."""

from __future__ import annotations

import json
import stat
from collections import Counter

import pytest

from sync.central.legacy.layout import Kind
from sync.central.legacy.reasons import Reason
from sync.central.records.legacy import Fate, kept_rows
from sync.central.store.errors import StoreError
from tests.sync.central.feed.board import Receiver
from tests.sync.central.legacy.way import Way

TABLES = {
    Kind.APPOINTMENT: "select count(*) as rows from appointments",
    Kind.QUEUE: "select count(*) as rows from entries",
    Kind.TRANSITION: "select count(*) as rows from transitions where trigger_type = 'legacy'",
    Kind.LOG: "select count(*) as rows from entry_history where source = 'legacy'",
}


def test_every_row_is_kept_as_it_was_and_the_centre_is_well(way: Way):
    before = way.old_rows()
    done = way.migrate()
    assert way.old_rows() == before
    with way.centre() as centre:
        for kind in Kind:
            with centre.store.read() as db:
                kept = list(kept_rows(db, kind))
            assert sorted(row.content for row in kept) == before[way.layout.tables[kind].table]
            taken = sum(row.fate is not Fate.BAD for row in kept)
            if kind in (Kind.APPOINTMENT, Kind.QUEUE, Kind.TRANSITION):
                assert centre.rows(TABLES[kind]) == [{"rows": taken}]
        assert sum(each.rows for each in done.tallies) == sum(
            len(before[way.layout.tables[kind].table]) for kind in Kind
        )
    health = way.health()
    assert health.ok, health
    assert health.live_entries > 20


def test_every_fault_is_found_in_the_spoilt_rows(way: Way):
    codes = {code for each in way.migrate(trial=True).tallies for code in each.reasons}
    never_here = {Reason.IMPORTED, Reason.OTHER_PATIENT, Reason.UNUSABLE_ID}
    assert codes == {reason.code for reason in Reason if reason not in never_here}


def test_a_row_with_a_fault_is_in_the_list_by_its_key_and_names_nobody(way: Way):
    done = way.migrate()
    rows = [json.loads(line) for line in done.listed.read_text("utf-8").splitlines()]
    assert Counter((row["table"], row["fate"]) for row in rows) == Counter(
        {key: number for key, number in _faulty(way, done).items() if number}
    )
    assert {*rows[0]} == {"table", "key", "fate", "reasons"}
    assert stat.S_IMODE(done.listed.stat().st_mode) == 0o600
    assert all(stat.S_IMODE(backup.stat().st_mode) == 0o600 for backup in done.backups)


def _faulty(way: Way, done) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for each in done.tallies:
        if each.fate is not Fate.TAKEN:
            found[way.layout.tables[each.kind].table, each.fate] += each.rows
    return found


def test_a_trial_says_the_same_and_changes_nothing(way: Way):
    before, old = way.centre_rows(), way.old_rows()
    trial = way.migrate(trial=True)
    assert trial.backups == ()
    assert (way.centre_rows(), way.old_rows()) == (before, old)
    assert way.migrate().tallies == trial.tallies


def test_a_second_migration_is_refused(way: Way):
    way.migrate()
    before = way.centre_rows()
    with pytest.raises(StoreError, match=r"was migrated into this centre on .* already"):
        way.migrate()
    assert way.centre_rows() == before


def test_a_centre_that_has_served_patients_is_refused(way: Way):
    with way.centre() as centre:
        centre.take({"patients": [{"patient_id": "N1", "name": "New"}]})
        centre.walk("N1", "scan_nfc", "register", "confirm_arrival")
    with pytest.raises(StoreError, match="has served patients already"):
        way.migrate()


# The user of each spoilt patient, the state that the rules give the journey, and that of its entry.
STANDING = (
    ("S900001", "UNREGISTERED", None),
    ("S900003", "UNREGISTERED", None),
    ("S900005", "COMPLETED", "completed"),
    ("S900006", "CALLED", "called"),
    ("S900007", "WAITING", "waiting"),
    ("S900008", "CALLED", "called"),
    ("S900009", "WAITING", "waiting"),
    ("S900010", "REGISTERED", None),
    ("S900011", "WAITING", "waiting"),
    ("S900012", "UNREGISTERED", None),
)


def test_a_patient_stands_where_the_rules_say(way: Way):
    way.migrate()
    with way.centre() as centre:
        found = centre.rows(
            "select j.patient_id, j.state, e.state as entry from journeys j"
            " left join entries e on e.queue_id = j.current_queue_id order by j.patient_id"
        )
    by_patient = {row["patient_id"]: (row["state"], row["entry"]) for row in found}
    assert [(each, *by_patient[each]) for each, *_ in STANDING] == [tuple(each) for each in STANDING]


def test_a_patient_whose_exam_of_today_is_done_stays_so_beside_a_row_that_was_left_open(way: Way):
    way.change_old("update app_queue set state = 'waiting' where queue_id = 8")  # of a day long ago
    way.migrate()
    with way.centre() as centre:
        journeys = centre.rows("select state, site_day from journeys where patient_id = 'P000004'")
        entries = centre.rows("select state from entries where patient_id = 'P000004' order by site_day")
    assert journeys == [{"state": "COMPLETED", "site_day": "2026-03-02"}]
    assert [row["state"] for row in entries] == ["no_show", "completed"]


def test_a_patient_who_waits_is_called_and_served_on(way: Way):
    way.migrate()
    with way.centre() as centre:
        waiting = centre.rows("select patient_id from journeys where state = 'WAITING' order by patient_id")
        patient_id = waiting[0]["patient_id"]
        state = centre.walk(patient_id, "call_patient", "start_exam", "complete_exam")
        assert state["journey_state"] == "COMPLETED"


def test_the_history_has_its_own_times_and_says_that_it_is_of_the_old_system(way: Way):
    way.migrate()
    with way.centre() as centre:
        rows = centre.rows(
            "select from_state, to_state, source, trigger_type, metadata, happened_ms, recorded_ms from transitions"
            " where patient_id = 'P000003' order by change"
        )
    assert [(row["from_state"], row["to_state"]) for row in rows][-1] == ("CALLED", "IN_PROGRESS")
    assert {row["source"] for row in rows} == {row["trigger_type"] for row in rows} == {"legacy"}
    said = {"trigger_type": "nfc_scan", "trigger_source": "kiosk-1", "metadata": {"tag": 1}}
    assert json.loads(rows[0]["metadata"]) == said
    assert rows[0]["happened_ms"] < rows[0]["recorded_ms"]


def test_the_feed_names_nobody_who_worked_with_the_old_system(way: Way):
    way.migrate()
    with way.centre() as centre:
        events = list(Receiver(500).read(centre.parts).told.values())
        who = {row["who"] for row in centre.rows("select who from entry_history")}
    assert "legacy:nurse" in who
    assert "nurse" not in json.dumps(events)
    assert {(each["origin"], each["kiosk_id"]) for each in events} == {("hospital", None)}


def test_two_who_wait_with_the_same_number_have_two_and_the_printed_one_is_still_known(way: Way):
    way.migrate()
    with way.centre() as centre:
        rows = centre.rows("select queue_number, label_aliases from entries where label_aliases <> '[]'")
        numbers = centre.rows("select queue_number from entries where queue_number = 'twice'")
    assert [(row["queue_number"], row["label_aliases"]) for row in rows] == [("C-001", '["twice"]')]
    assert len(numbers) == 1


def test_an_imported_patient_keeps_the_name_and_an_imported_booking_stays(way: Way):
    booking = {"appointment_id": "A1-0", "patient_id": "P000001", "exam_id": "xray", "scheduled_at": "2026-03-02T15:00"}
    with way.centre() as centre:
        centre.take({"patients": [{"patient_id": "P000001", "name": "홍길동"}, {"patient_id": "N1", "name": "New"}]})
        centre.take({"appointments": [booking, {**booking, "appointment_id": "A2-0", "patient_id": "N1"}]})
    done = way.migrate()
    reasons = Counter(code for each in done.tallies for code in each.reasons if each.kind == Kind.APPOINTMENT)
    assert reasons["imported"] == reasons["other_patient"] == 1
    with way.centre() as centre:
        assert centre.rows("select name from patients where patient_id = 'P000001'") == [{"name": "홍길동"}]
        assert centre.rows("select exam_id from appointments where appointment_id = 'A1-0'") == [{"exam_id": "xray"}]
    assert way.health().ok
