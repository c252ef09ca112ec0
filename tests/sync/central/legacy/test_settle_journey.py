"""Where a patient of the old system stands: journey, entry and bookings agree, whatever the old rows say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sync.central.legacy.reasons import Reason
from sync.central.legacy.settle_journey import settle_journey
from sync.journey.definitions import shipped
from sync.journey.model import Appointment, AppointmentId, ExamId, Journey, PatientId, QueueEntry, QueueId

RULES = shipped()
DAY = "2026-03-02"


def entry(number: int, state: str, exam: str = "blood", booking: str | None = None) -> QueueEntry:
    appointment_id = AppointmentId(booking) if booking else None
    return QueueEntry(
        QueueId(f"q{number}"), ExamId(exam), exam, "1", state, str(number), 1, number, appointment_id=appointment_id
    )


def booked(name: str, status: str, exam: str = "blood") -> Appointment:
    return Appointment(AppointmentId(name), ExamId(exam), exam, "1", 0, status)


def journey(state: str, *entries: QueueEntry, bookings: tuple[Appointment, ...] = ()) -> Journey:
    return Journey(PatientId("P1"), state, DAY, entries=entries, appointments=bookings)


def stands(state: str, *entries: QueueEntry) -> tuple[str, str | None, tuple[Reason, ...]]:
    """The state of the journey, its current entry, and the fault."""
    settled = settle_journey(RULES, journey(state, *entries))
    return settled.journey.state, settled.journey.current_queue_id, settled.reasons


def test_an_orphan_begins_anew_or_has_done_its_exam():
    for state in ("WAITING", "CALLED", "IN_PROGRESS", "COMPLETED"):
        assert stands(state) == ("UNREGISTERED", None, (Reason.ORPHAN,))
    for state in ("WAITING", "CALLED", "IN_PROGRESS"):
        assert stands(state, entry(1, "completed")) == ("COMPLETED", "q1", (Reason.ORPHAN,))


def test_a_journey_follows_the_oldest_live_entry_that_fits_else_the_oldest():
    assert stands("CALLED", entry(1, "waiting"), entry(2, "called", "xray")) == ("CALLED", "q2", ())
    assert stands("CALLED", entry(1, "waiting"), entry(2, "delayed", "xray")) == (
        "WAITING",
        "q1",
        (Reason.FOLLOWS_ENTRY,),
    )
    assert stands("COMPLETED", entry(1, "waiting")) == ("WAITING", "q1", (Reason.FOLLOWS_ENTRY,))
    assert stands("COMPLETED", entry(1, "completed"), entry(2, "waiting", "xray")) == ("COMPLETED", "q1", ())


def test_a_journey_before_the_queue_follows_an_entry_and_one_after_it_stays():
    assert stands("REGISTERED", entry(1, "waiting")) == ("WAITING", "q1", (Reason.FOLLOWS_ENTRY,))
    assert stands("REGISTERED", entry(1, "no_show")) == ("REGISTERED", None, ())
    assert stands("PAYMENT", entry(1, "completed"), entry(2, "waiting", "xray")) == ("PAYMENT", "q1", ())
    assert stands("FINISHED") == ("FINISHED", None, ())


def test_of_two_entries_for_one_exam_the_one_that_has_come_furthest_counts():
    settled = settle_journey(RULES, journey("WAITING", entry(1, "waiting"), entry(2, "called")))
    assert [(change.queue_id, change.new) for change in settled.entry_changes] == [("q1", "cancelled")]
    assert (settled.journey.state, settled.journey.current_queue_id) == ("CALLED", "q2")


def test_a_booking_follows_its_entry_and_none_waits_without_one():
    bookings = (booked("a", "cancelled"), booked("b", "waiting", "xray"), booked("c", "in_progress", "xray"))
    entries = (entry(1, "called", booking="a"), entry(2, "completed", "xray", "c"))
    settled = settle_journey(RULES, journey("CALLED", *entries, bookings=bookings))
    assert [(each.appointment_id, each.new) for each in settled.appointment_changes] == [
        ("a", "waiting"),
        ("b", "booked"),
        ("c", "completed"),
    ]


def test_the_state_of_a_patient_of_whom_nothing_is_said_is_no_fault():
    settled = settle_journey(RULES, journey("UNREGISTERED", entry(1, "waiting")), is_known=False)
    assert (settled.journey.state, settled.reasons) == ("WAITING", ())


ENTRIES = st.lists(st.tuples(st.sampled_from(RULES.queue_states), st.sampled_from(["blood", "xray"])), max_size=4)


@given(st.sampled_from([*RULES.journey_states, "SLEEPING"]), ENTRIES)
def test_every_journey_agrees_with_its_entries_afterwards_and_a_second_look_changes_nothing(
    state: str, found: list[tuple[str, str]]
):
    entries = (entry(number, each, exam) for number, (each, exam) in enumerate(found))
    settled = settle_journey(RULES, journey(state, *entries)).journey
    current = settled.current
    if settled.state in RULES.queue_to_journey.values():
        assert current is not None
        assert RULES.queue_to_journey[current.state] == settled.state
        assert current.state in RULES.live or RULES.journey_to_queue[settled.state] not in RULES.live
    assert settled.state in RULES.journey_states
    assert settle_journey(RULES, settled).journey == settled
