"""The end of the site's day: journeys that start again, journeys that stay, and bookings that lapse."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sync.journey.day_end import close_day
from sync.journey.model import AppointmentChange, EntryChange, QueueId, Transition
from sync.journey.rules import is_legal

from .samples import NEXT_DAY, RULES, action, booking, decided, entry, patient, walked


@pytest.mark.parametrize("state", [s for s in RULES.journey_states if s != "UNREGISTERED"])
def test_a_journey_starts_afresh_from_any_state_by_the_system_alone(state: str):
    closed = close_day(RULES, patient(state), NEXT_DAY)
    after = closed.journey
    assert (after.state, after.site_day, after.visit_id, after.leg) == ("UNREGISTERED", NEXT_DAY, None, 0)
    assert closed.transitions == (Transition(state, "close_day", "UNREGISTERED", "system_auto"),)
    assert is_legal(RULES, closed.transitions[0])
    assert after.journey_version == 8


def test_where_nothing_was_begun_nothing_changes_but_the_day():
    closed = close_day(RULES, patient(), NEXT_DAY)
    assert (closed.transitions, closed.entry_changes, closed.appointment_changes) == ((), (), ())
    assert closed.journey == replace(patient(), site_day=NEXT_DAY)


def test_bookings_that_nobody_came_for_lapse_and_that_counts_as_a_change():
    closed = close_day(RULES, patient("UNREGISTERED", [booking("X"), booking("Y", 2, "completed")]), NEXT_DAY)
    assert [(c.previous, c.new) for c in closed.appointment_changes] == [("booked", "no_show")]
    assert closed.journey.journey_version == 8
    assert closed.journey.appointments == ()


@pytest.mark.parametrize("state", ["waiting", "delayed", "called"])
def test_live_entries_end_as_no_shows(state: str):
    before = patient(RULES.queue_to_journey[state], [booking("X", status="waiting")], [entry(1, state=state)], 1)
    closed = close_day(RULES, before, NEXT_DAY)
    assert closed.entry_changes == (EntryChange(QueueId("q1"), state, "no_show", "close_day"),)
    assert closed.appointment_changes == (
        AppointmentChange(before.appointments[0].appointment_id, "waiting", "no_show"),
    )
    assert closed.journey.entries == ()
    assert closed.journey.current_queue_id is None


def test_an_entry_missed_before_stays_a_no_show_without_another_row():
    closed = close_day(RULES, patient("WAITING", entries=[entry(1, state="no_show")], current=1), NEXT_DAY)
    assert closed.entry_changes == ()
    assert closed.journey.entries == ()


def test_who_is_being_seen_stays_where_they_are():
    before = patient("IN_PROGRESS", [booking("X", status="in_progress")], [entry(1, state="in_progress")], 1)
    closed = close_day(RULES, before, NEXT_DAY)
    after = closed.journey
    assert (after.state, after.site_day, after.visit_id, after.leg) == ("IN_PROGRESS", NEXT_DAY, "v1", 1)
    assert after.current == before.current
    assert (closed.transitions, closed.entry_changes, closed.appointment_changes) == ((), (), ())
    assert after.journey_version == 8
    assert decided(after, action("complete_exam")).journey.state == "COMPLETED"


@pytest.mark.parametrize("state", ["waiting", "delayed", "called", "no_show"])
def test_an_overnight_exam_keeps_entry_journey_and_booking(state: str):
    before = patient(
        RULES.queue_to_journey[state],
        [booking("X", status=RULES.queue_to_appointment[state], overnight=True)],
        [entry(1, state=state, overnight=True)],
        1,
    )
    closed = close_day(RULES, before, NEXT_DAY)
    assert closed.journey.state == before.state
    assert closed.journey.entries == before.entries
    assert (closed.journey.appointments, closed.appointment_changes) == (before.appointments, ())


def test_an_overnight_exam_that_has_ended_does_not_stay():
    before = patient("COMPLETED", entries=[entry(1, state="completed", overnight=True)], current=1)
    closed = close_day(RULES, before, NEXT_DAY)
    assert (closed.journey.state, closed.journey.entries, closed.entry_changes) == ("UNREGISTERED", (), ())


def test_an_overnight_entry_that_is_not_the_current_one_goes_along_and_the_journey_starts_afresh():
    entries = [entry(1, "X"), entry(2, "Y", overnight=True)]
    before = patient("WAITING", [booking("X", 1, "waiting"), booking("Y", 2, "waiting")], entries, 1)
    closed = close_day(RULES, before, NEXT_DAY)
    assert (closed.journey.state, closed.journey.current_queue_id) == ("UNREGISTERED", None)
    assert [e.queue_id for e in closed.journey.entries] == ["q2"]
    assert [c.queue_id for c in closed.entry_changes] == ["q1"]
    assert [c.appointment_id for c in closed.appointment_changes] == [before.appointments[0].appointment_id]
    # The patient joins that entry on the next day.
    joined = walked(closed.journey, "scan_nfc", "register", "confirm_arrival")
    assert joined.current_queue_id == "q2"


def test_the_same_end_of_a_day_twice_changes_nothing_more():
    once = close_day(RULES, patient("WAITING", [booking("X")], [entry(1)], 1), NEXT_DAY).journey
    assert close_day(RULES, once, NEXT_DAY).journey == once
