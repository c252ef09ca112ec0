"""The health check finds rows that the rules cannot have left."""

import pytest

from sync.central.maintenance.health import check
from sync.central.maintenance.housekeeping import close_days
from sync.central.opening import open_centre
from sync.journey.definitions import read
from tests.site_rules import with_changed
from tests.sync.central.centre import DAY, Centre, patient

ANNA = patient(1)


@pytest.fixture
def waiting(centre: Centre) -> Centre:
    centre.walk(ANNA, "scan_nfc", "register", "confirm_arrival")
    return centre


def break_it(centre: Centre, sql: str) -> dict:
    with centre.store.write() as db:
        db.execute(sql)
    health = centre.do("check")
    assert not health["ok"]
    return health


def test_a_sound_database_is_well_and_counted(waiting: Centre):
    health = waiting.do("check")
    assert (health["ok"], health["patients"], health["live_entries"], health["waiting_for_staff"]) == (True, 20, 1, 0)
    assert health["journey_states"] == {
        "UNREGISTERED": 19,
        "ARRIVED": 0,
        "REGISTERED": 0,
        "WAITING": 1,
        "CALLED": 0,
        "IN_PROGRESS": 0,
        "COMPLETED": 0,
        "PAYMENT": 0,
        "FINISHED": 0,
    }
    assert health["queue_states"]["waiting"] == 1


def test_only_entries_of_the_present_day_are_live(waiting: Centre):
    waiting.clock.set("2026-03-03", "09:00")
    before = waiting.do("check")
    close_days(waiting.parts, "2026-03-03")
    after = waiting.do("check")
    for health in (before, after):
        assert (health["ok"], health["day"], health["live_entries"]) == (True, "2026-03-03", 0)
        assert sum(health["queue_states"].values()) == 0
        assert health["journey_states"]["WAITING"] == 0
    assert (before["unended"], after["unended"]) == (16, 0)
    assert after["journey_states"]["UNREGISTERED"] == 20


def test_an_entry_that_outlasts_the_day_is_live_on_the_next_one(waiting: Centre):
    waiting.walk(ANNA, "call_patient", "start_exam")
    waiting.clock.set("2026-03-03", "09:00")
    close_days(waiting.parts, "2026-03-03")
    health = waiting.do("check")
    assert (health["live_entries"], health["queue_states"]["in_progress"]) == (1, 1)


def test_a_centre_without_a_hospital_has_nothing_to_count(tmp_path):
    centre = Centre(tmp_path, filled=False)
    health = centre.do("check")
    assert (health["ok"], health["day"], health["patients"], health["live_entries"]) == (True, None, 0, 0)
    centre.store.close()


def test_a_journey_and_an_entry_that_disagree_are_inconsistent(waiting: Centre):
    (finding,) = break_it(waiting, "update entries set state = 'called'")["inconsistent"]
    assert finding.pop("queue_id")
    assert finding == {
        "patient_id": ANNA,
        "site_day": DAY,
        "journey_state": "WAITING",
        "entry_state": "called",
    }


@pytest.mark.parametrize(
    "sql",
    [
        "update journeys set current_queue_id = null where state = 'WAITING'",
        "update journeys set current_queue_id = 'gone' where state = 'WAITING'",
        "update entries set state = 'completed'",
        "update entries set site_day = '2026-03-01'",
        "update journeys set state = 'COMPLETED', current_queue_id = null where state = 'WAITING'",
    ],
)
def test_a_journey_without_the_live_entry_that_it_needs_is_an_orphan(waiting: Centre, sql):
    (finding,) = break_it(waiting, sql)["orphans"]
    assert finding["patient_id"] == ANNA


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        ("update appointments set exam_id = 'sleep' where status = 'waiting'", "other_exam"),
        ("update appointments set site_day = '2026-03-03', all_day = 1 where status = 'waiting'", "other_day"),
        ("update appointments set site_day = '2026-03-01', all_day = 1 where status = 'waiting'", "other_day"),
        ("update appointments set status = 'cancelled' where status = 'waiting'", "called_off"),
        ("update entries set appointment_id = null", "no_entry"),
    ],
)
def test_a_booking_and_its_entry_that_disagree_are_found(waiting: Centre, sql: str, fault: str):
    (finding,) = break_it(waiting, sql)["stray_bookings"]
    assert (finding["patient_id"], finding["appointment_id"]) == (ANNA, f"2026-03-02-{ANNA}-blood")
    assert finding["fault"] == fault


def test_an_unknown_state_is_inconsistent(waiting: Centre):
    health = break_it(waiting, f"update journeys set state = 'LOST' where patient_id = '{ANNA}'")
    assert [finding["journey_state"] for finding in health["inconsistent"]] == ["LOST"]
    assert health["journey_states"]["LOST"] == 1


@pytest.mark.parametrize(
    "row",
    [
        "'WAITING', 'FINISHED', 'make_payment', 'patient_action'",
        "'UNREGISTERED', 'WAITING', 'queue_sync', 'queue_sync'",
        "'WAITING', 'CALLED', 'close_day', 'system_auto'",
        "'WAITING', 'CALLED', 'hurry', 'patient_action'",
    ],
)
def test_a_transition_that_the_rules_cannot_leave_is_illegal(waiting: Centre, row):
    health = break_it(
        waiting,
        f"insert into transitions values (9999, 0, '{ANNA}', null, 0, null, {row}, 'x', 'x', '{{}}', 0, 0, 'received')",
    )
    assert [found["rows"] for found in health["illegal_transitions"]] == [1]


def test_a_transition_that_older_rules_allowed_stays_legal(tmp_path):
    centre = Centre(tmp_path)
    centre.walk(ANNA, "scan_nfc")
    document = centre.parts.definitions.document
    url = centre.url
    centre.store.close()
    newer = with_changed(document, "scan_nfc", moves={"UNREGISTERED": "REGISTERED"})
    newer = with_changed(newer, "register", moves={"REGISTERED": "ARRIVED"})
    newer = with_changed(newer, "confirm_arrival", moves={"ARRIVED": "WAITING", "REGISTERED": "WAITING"})
    for number, rules in ((1, document), (2, {**newer, "version": 2})):
        parts = open_centre(url, definitions=read(rules))
        with parts.store.read() as db:
            assert check(db, parts.definitions).illegal_transitions == [], number
        parts.store.close()


def test_long_lists_are_cut_and_the_result_still_fails(tmp_path):
    centre = Centre(tmp_path, patients=130)
    health = break_it(centre, "update journeys set state = 'WAITING'")
    assert len(health["orphans"]) == 100
    centre.store.close()
