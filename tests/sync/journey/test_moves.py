"""A booking is moved or cancelled while its queue entry is live: the entry follows, or staff have to decide."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sync.journey.definitions import read
from sync.journey.model import Appointment, BuiltIn, Decision, EntryChange, Exam, ExamId, Journey, QueueId, Transition
from sync.journey.moves import follow_booking, follow_exam
from sync.journey.rules import decide, next_exam
from tests.site_rules import with_changed

from .samples import RULES, action, booking, decided, entry, patient, statuses

IN_LINE = ["waiting", "delayed", "no_show"]
WITH_STAFF = ["called", "in_progress"]


def in_x(state: str = "waiting") -> Journey:
    booked = booking("X", status=RULES.queue_to_appointment[state])
    return patient(RULES.queue_to_journey[state], [booked], [entry(1, state=state)], 1)


def to_b(journey: Journey, exam: str = "B") -> Journey:
    """The journey after the hospital has moved its first booking to another exam."""
    first, *others = journey.appointments
    there = booking(exam, first.scheduled_ms, first.status)
    moved = replace(there, appointment_id=first.appointment_id, minutes=40, overnight=True)
    return replace(journey, appointments=(moved, *others))


def with_status(journey: Journey, status: str) -> Journey:
    first, *others = journey.appointments
    return replace(journey, appointments=(replace(first, status=status), *others))


def followed(journey: Journey, queue: str = "q1") -> Decision:
    entry_now = journey.entry(QueueId(queue))
    assert entry_now is not None
    outcome = follow_booking(RULES, journey, entry_now)
    assert outcome is not None
    return outcome


@pytest.mark.parametrize("state", IN_LINE)
def test_a_waiting_entry_moves_to_the_line_of_the_exam_with_its_number_and_its_arrival(state: str):
    before = to_b(in_x(state))
    done = followed(before)
    old, new = before.entries[0], done.journey.entries[0]
    assert (new.exam_id, new.exam_name, new.room, new.minutes, new.overnight) == ("B", "검사 B", "room B", 40, True)
    assert (new.queue_number, new.opened_ms, new.state) == (old.queue_number, old.opened_ms, state)
    assert new.moved_from == "검사 X"
    assert done.entry_changes == (EntryChange(QueueId("q1"), state, state, BuiltIn.MOVE_BOOKING),)
    assert done.journey.state == before.state
    assert done.journey.journey_version == before.journey_version + 1


def test_an_entry_that_moves_back_was_never_moved():
    there = followed(to_b(in_x())).journey
    assert followed(to_b(there, "X")).journey.entries[0].moved_from == ""


def test_an_entry_that_moves_twice_keeps_the_exam_of_its_ticket():
    there = followed(to_b(in_x())).journey
    assert followed(to_b(there, "C")).journey.entries[0].moved_from == "검사 X"


def test_an_exam_of_the_same_name_in_another_room_is_another_place_than_the_ticket_names():
    before = to_b(in_x())
    same_name = tuple(replace(each, exam_name="검사 X") for each in before.appointments)
    there = followed(replace(before, appointments=same_name)).journey
    assert (there.entries[0].moved_from, there.entries[0].moved_from_room) == ("", "room X")
    assert followed(to_b(there, "X")).journey.entries[0].moved_from_room == ""


def test_a_waiting_entry_follows_its_exam_and_keeps_what_the_ticket_says():
    before, old = in_x(), Exam(ExamId("X"), "X", "검사 X", "room X")
    new = replace(old, public_label="영상 검사", room="401", minutes=40, overnight=True)
    done = follow_exam(RULES, before, old, new)
    assert done is not None
    (now,) = done.journey.entries
    assert (now.exam_name, now.room, now.minutes, now.overnight) == ("영상 검사", "401", 40, True)
    assert (now.moved_from, now.moved_from_room) == ("검사 X", "room X")
    assert done.journey.journey_version == before.journey_version + 1
    assert follow_exam(RULES, done.journey, new, new) is None
    back = follow_exam(RULES, done.journey, new, old)
    assert back is not None
    assert (back.journey.entries[0].moved_from, back.journey.entries[0].moved_from_room) == ("", "")


def test_a_patient_who_is_called_to_the_room_of_the_exam_is_sent_to_the_new_one():
    old = Exam(ExamId("X"), "X", "검사 X", "room X")
    done = follow_exam(RULES, in_x("called"), old, replace(old, room="401"))
    assert done is not None
    assert (done.journey.entries[0].room, done.journey.entries[0].state) == ("401", "called")
    assert follow_exam(RULES, in_x("in_progress"), old, replace(old, room="401")) is None


@pytest.mark.parametrize("state", ["called", "no_show"])
def test_a_room_that_staff_named_stays(state: str):
    old, before = Exam(ExamId("X"), "X", "검사 X", "room X"), in_x(state)
    called_into = before.with_entry(replace(before.entries[0], room="3"))
    done = follow_exam(RULES, called_into, old, replace(old, room="401", minutes=40))
    assert done is not None
    assert (done.journey.entries[0].room, done.journey.entries[0].moved_from_room) == ("3", "")


@pytest.mark.parametrize("state", WITH_STAFF)
@pytest.mark.parametrize("change", [to_b, lambda journey: with_status(journey, "cancelled")])
def test_a_patient_who_is_called_or_seen_is_left_to_the_staff(state: str, change):
    before = change(in_x(state))
    assert follow_booking(RULES, before, before.entries[0]) is None


@pytest.mark.parametrize("state", IN_LINE)
def test_a_cancelled_booking_ends_the_entry_that_waits_and_the_journey_follows(state: str):
    done = followed(with_status(in_x(state), "cancelled"))
    assert done.journey.entries[0].state == "cancelled"
    assert done.transitions == (Transition("WAITING", "queue_sync", "COMPLETED", "queue_sync"),)
    assert done.appointment_changes == ()


def test_a_booking_that_is_of_another_day_now_ends_the_entry_and_the_next_entry_becomes_current():
    before = patient("WAITING", [booking("X", 1, "waiting")], [entry(1, "X"), entry(2, "Y", state="called")], 1)
    done = followed(replace(before, appointments=()))
    assert done.journey.current_queue_id == "q2"
    assert done.journey.state == "CALLED"


def test_a_place_without_a_booking_in_the_line_of_the_exam_gets_the_booking_and_the_earlier_arrival():
    walk_in = entry(2, "B", state="called", opened_ms=9)
    before = to_b(patient("WAITING", [booking("X", 1, "waiting")], [entry(1, "X", opened_ms=3), walk_in], 1))
    done = followed(before)
    ended, joined = done.journey.entries
    assert ended.state == "cancelled"
    assert (joined.appointment_id, joined.opened_ms) == (before.appointments[0].appointment_id, 3)
    assert joined.label_aliases == (ended.queue_number,)
    assert done.journey.state == "CALLED"
    assert statuses(done.journey) == {"B": "waiting"}


def test_a_place_of_another_booking_of_that_exam_stays_beside_the_moved_one():
    bookings = [booking("X", 1, "waiting"), booking("B", 2, "waiting")]
    done = followed(to_b(patient("WAITING", bookings, [entry(1, "X"), entry(2, "B")], 1)))
    assert [(e.exam_id, e.state) for e in done.journey.entries] == [("B", "waiting"), ("B", "waiting")]
    assert done.journey.entries[0].appointment_id != done.journey.entries[1].appointment_id


def test_the_booking_of_an_exam_that_is_moved_while_the_patient_is_seen_comes_next():
    seen = with_status(to_b(in_x("in_progress")), "booked")
    done = decided(seen, action("complete_exam"))
    assert done.appointment_changes == ()
    following = next_exam(RULES, done.journey)
    assert following is not None
    assert (following.exam_id, following.queue_number) == ("B", None)
    arrived = decided(done.journey, action("confirm_arrival"))
    assert arrived.opened is not None
    assert arrived.opened.exam_id == "B"


def test_a_booking_that_comes_back_to_its_called_entry_agrees_with_it_again():
    done = followed(with_status(in_x("called"), "booked"))
    assert statuses(done.journey) == {"X": "waiting"}


def test_a_new_time_alone_changes_nothing_of_the_journey():
    before = in_x()
    later = replace(before.appointments[0], scheduled_ms=5)
    now = replace(before, appointments=(later,))
    assert followed(now) == Decision(now, ())


def test_rules_without_a_cancellation_leave_every_ended_booking_to_the_staff():
    document = with_changed(dict(RULES.document), "cancel_appointment", no_entry=None)
    document["actions"] = [
        {key: value for key, value in row.items() if value is not None} for row in document["actions"]
    ]
    before = replace(in_x(), appointments=())
    assert follow_booking(read(document), before, before.entries[0]) is None


def test_bookings_of_the_whole_day_come_after_those_with_a_time():
    any_time: Appointment = replace(booking("A", 1), all_day=True)
    following = next_exam(RULES, patient("COMPLETED", [any_time, booking("X", 9000)]))
    assert following is not None
    assert following.exam_id == "X"


def test_of_two_bookings_of_one_exam_each_has_an_entry_of_its_own():
    before = patient("COMPLETED", [booking("X", 1, "waiting"), booking("X", 2, "arrived")], [entry(1, state="no_show")])
    linked = replace(before.entries[0], appointment_id=before.appointments[0].appointment_id)
    done = decide(RULES, before.with_entry(linked), action("confirm_arrival"))
    assert isinstance(done, Decision)
    assert done.opened is not None
    assert done.opened.appointment_id == before.appointments[1].appointment_id
