"""The line of an exam by arrival or by booking: who came in time stands by the booked time, others by the arrival."""

from __future__ import annotations

from msgspec.structs import replace

from sync.journey.line import at_earlier_arrival, booked_place_ms, stands_ms
from sync.journey.model import Appointment, Exam, ExamId
from sync.journey.moves import follow_booking, follow_exam
from sync.journey.rules import people_ahead, place_in_line

from .samples import RULES, action, booking, decided, entry, patient, walked

MINUTE = 60_000
AT = 100 * MINUTE
LATE = RULES.late_after_minutes * MINUTE


def by_booking(exam: str = "X", at_ms: int = AT, status: str = "booked") -> Appointment:
    return replace(booking(exam, at_ms, status), by_booking=True)


def test_who_comes_early_or_in_time_stands_by_the_booked_time():
    for arrived_ms in (0, AT, AT + LATE):
        assert booked_place_ms(RULES, by_booking(), arrived_ms) == AT


def test_who_comes_too_late_or_without_a_time_or_by_arrival_stands_by_the_arrival():
    assert booked_place_ms(RULES, by_booking(), AT + LATE + 1) is None
    assert booked_place_ms(RULES, replace(by_booking(), all_day=True), 0) is None
    assert booked_place_ms(RULES, booking("X", AT), 0) is None
    assert booked_place_ms(RULES, None, 0) is None


def test_a_confirmed_arrival_gets_the_place_of_its_booking():
    journey = walked(patient("UNREGISTERED", [by_booking()]), "scan_nfc", "register")
    opened = decided(journey, action("confirm_arrival", at_ms=7)).opened
    assert opened is not None
    assert (opened.opened_ms, opened.line_ms, stands_ms(opened)) == (7, AT, AT)
    late = decided(journey, action("confirm_arrival", at_ms=AT + LATE + 1)).opened
    assert late is not None
    assert (late.line_ms, stands_ms(late)) == (None, AT + LATE + 1)


def test_an_arrival_that_joins_an_entry_without_a_booking_gives_it_the_place_of_the_booking():
    open_entry = entry(1, opened_ms=7)
    journey = patient("REGISTERED", [by_booking(status="arrived")], [replace(open_entry, appointment_id=None)])
    joined = decided(journey, action("confirm_arrival", at_ms=9)).journey.entries[0]
    assert (joined.opened_ms, joined.line_ms) == (7, AT)


def test_a_line_is_sorted_by_priority_then_by_the_time_by_which_each_stands():
    booked = replace(entry(1, opened_ms=5), line_ms=50)
    walk_in = entry(2, opened_ms=40)
    urgent = entry(3, opened_ms=60, priority=1)
    line = (booked, walk_in, urgent)
    assert sorted(line, key=place_in_line) == [urgent, walk_in, booked]
    assert [people_ahead(RULES, line, each) for each in line] == [2, 1, 0]


def test_an_earlier_arrival_that_is_in_time_gives_the_booked_place():
    late = entry(1, opened_ms=AT + LATE + 9)
    journey = patient("WAITING", [by_booking(status="waiting")], [late], 1)
    (late,) = journey.entries
    assert at_earlier_arrival(RULES, late, journey, AT) == replace(late, opened_ms=AT, line_ms=AT)
    assert at_earlier_arrival(RULES, late, journey, AT + LATE + 1) == replace(late, opened_ms=AT + LATE + 1)
    assert at_earlier_arrival(RULES, late, journey, late.opened_ms + 1) == late


def test_a_booking_with_another_time_takes_the_place_along():
    waits = replace(entry(1, opened_ms=7), line_ms=AT)
    journey = patient("WAITING", [by_booking(status="waiting")], [waits], 1)
    moved = replace(journey, appointments=(replace(journey.appointments[0], scheduled_ms=2 * AT),))
    decision = follow_booking(RULES, moved, moved.entries[0])
    assert decision is not None
    assert decision.journey.entries[0].line_ms == 2 * AT
    assert follow_booking(RULES, journey, journey.entries[0]).journey == journey  # type: ignore[union-attr]


def test_a_line_that_changes_its_order_is_sorted_anew():
    before = Exam(ExamId("X"), "X", "검사 X", "room X", 15)
    after = replace(before, by_booking=True)
    journey = patient("WAITING", [by_booking(status="waiting")], [entry(1, opened_ms=7)], 1)
    booked = follow_exam(RULES, journey, before, after)
    assert booked is not None
    assert booked.journey.entries[0].line_ms == AT
    back = replace(booked.journey, appointments=(booking("X", AT, "waiting"),))
    arrived = follow_exam(RULES, back, after, before)
    assert arrived is not None
    assert arrived.journey.entries[0].line_ms is None
