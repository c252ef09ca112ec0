"""Taking back what a kiosk did on days that have ended: their history says it, and nothing of today moves."""

from __future__ import annotations

import pytest

from sync.central.maintenance.housekeeping import close_days
from sync.protocol import Code, Verdict
from tests.sync.central.two_stores.acts import transitions
from tests.sync.central.two_stores.undoing import (
    by_another_kiosk_in_vain,
    by_staff,
    entries,
    is_well,
    kiosk_id,
    undo,
)
from tests.sync.central.wire import Centre, Kiosk


@pytest.mark.parametrize("pushed_late", [False, True])
def test_of_an_ended_day_the_history_says_it_and_nothing_of_today_moves(
    centre: Centre, kiosk: Kiosk, other: Kiosk, pushed_late: bool
):
    kiosk.check_in("P1")
    if not pushed_late:
        kiosk.sync()
    centre.time.pass_minutes(24 * 60)
    close_days(centre.parts, "2026-03-03", lambda: False)
    kiosk.sync()
    other.pull()
    other.tap("P1")
    other.sync()
    before = centre.journey("P1")
    assert undo(centre, kiosk) == {"ended_days_marked": 1, "acts_taken_back": 3}
    assert centre.journey("P1") == before
    assert ("WAITING", "take_back", "UNREGISTERED", "desk") in transitions(centre, "P1")
    assert entries(centre, "P1") == [("A-001", "cancelled")]
    assert is_well(centre)
    assert undo(centre, kiosk) == {}


def test_what_was_done_elsewhere_in_a_visit_of_an_ended_day_is_for_staff(centre: Centre, kiosk: Kiosk, other: Kiosk):
    kiosk.tap("P1")
    kiosk.sync()
    other.pull()
    centre.time.pass_minutes(5)
    other.act("P1", "register")  # without a network
    centre.time.pass_minutes(24 * 60)
    assert undo(centre, kiosk) == {"ended_days_marked": 1, "acts_taken_back": 1}
    other.sync()
    assert other.last() == (Verdict.NEEDS_STAFF, Code.CORRECTED)


def test_an_act_of_an_ended_day_in_another_kiosks_visit_goes_back_in_its_history(
    centre: Centre, kiosk: Kiosk, other: Kiosk
):
    """What comes later of that day is judged by the history: its state, and the leg that it was in."""
    other.tap("P1")
    other.act("P1", "register")
    other.sync()
    centre.time.pass_minutes(1)
    kiosk.pull()
    kiosk.act("P1", "confirm_arrival")
    kiosk.sync()
    centre.time.pass_minutes(1)
    other.act("P1", "confirm_arrival")  # without a network
    centre.time.pass_minutes(24 * 60)
    assert undo(centre, kiosk) == {"ended_days_marked": 1, "acts_taken_back": 1}
    other.sync()
    assert other.last() == (Verdict.APPLIED, Code.LATE)
    assert centre.rows("select leg from transitions where action = 'take_back'") == [{"leg": 0}]
    assert transitions(centre, "P1")[-2:] == [
        ("WAITING", "take_back", "REGISTERED", "desk"),
        ("REGISTERED", "confirm_arrival", "WAITING", kiosk_id(other)),
    ]
    assert is_well(centre)


def test_a_second_number_of_an_ended_day_stays_on_its_entry(centre: Centre, kiosk: Kiosk, other: Kiosk):
    kiosk.check_in("P1")
    centre.time.pass_minutes(5)
    other.check_in("P1")
    other.sync()
    centre.time.pass_minutes(1)
    kiosk.sync()
    centre.time.pass_minutes(24 * 60)
    before = transitions(centre, "P1")
    assert undo(centre, kiosk) == {"names_ended": 1, "ended_days_marked": 1, "acts_taken_back": 2}
    assert [row for row in transitions(centre, "P1") if row[1] != "close_day"] == before
    assert entries(centre, "P1") == [("B-001", "no_show")]


def test_money_of_an_ended_day_is_for_staff(centre: Centre, kiosk: Kiosk):
    for action in ("scan_nfc", "register", "confirm_arrival", "call_patient", "start_exam", "complete_exam"):
        assert centre.staff(action, "P2").done
    kiosk.pull()
    kiosk.act("P2", "make_payment", receipt_id="R-1")
    kiosk.sync()
    centre.time.pass_minutes(24 * 60)
    assert undo(centre, kiosk) == {"cases_opened": 1}


@pytest.mark.parametrize("acted", [by_staff, by_another_kiosk_in_vain], ids=lambda f: f.__name__)
def test_of_an_ended_day_on_which_others_acted_staff_get_a_case(centre: Centre, kiosk: Kiosk, other: Kiosk, acted):
    kiosk.tap("P1")
    kiosk.sync()
    acted(centre, other)
    centre.time.pass_minutes(24 * 60)
    before = transitions(centre, "P1")
    assert undo(centre, kiosk) == {"cases_opened": 1}
    assert [row for row in transitions(centre, "P1") if row[1] != "close_day"] == before


def test_a_patient_who_is_there_over_night_is_left_to_staff(centre: Centre, kiosk: Kiosk):
    kiosk.check_in("P1")
    kiosk.sync()
    with centre.store.write() as db:
        db.execute("update entries set overnight = 1")
    centre.time.pass_minutes(24 * 60)
    close_days(centre.parts, "2026-03-03", lambda: False)
    assert centre.journey("P1").state == "WAITING"
    assert undo(centre, kiosk) == {"cases_opened": 1}


def test_two_kiosks_that_built_on_one_another_on_an_ended_day_are_too(centre: Centre, kiosk: Kiosk, other: Kiosk):
    kiosk.tap("P1")
    kiosk.sync()
    other.pull()
    centre.time.pass_minutes(1)
    other.act("P1", "register")
    other.sync()
    centre.time.pass_minutes(24 * 60)
    assert undo(centre, other) == undo(centre, kiosk) == {"ended_days_marked": 1, "acts_taken_back": 1}
    assert is_well(centre)
