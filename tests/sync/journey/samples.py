"""A patient of one day, small enough to read in a test, and actions on them in one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from sync.journey.bookings import agrees
from sync.journey.definitions import shipped
from sync.journey.model import (
    PATIENT,
    STAFF,
    Action,
    ActionId,
    Actor,
    Appointment,
    AppointmentId,
    Decision,
    Exam,
    ExamId,
    Journey,
    Opens,
    PatientId,
    QueueEntry,
    QueueId,
    Refusal,
    Role,
    VisitId,
)
from sync.journey.rules import decide

RULES = shipped()
DAY = "2026-03-02"
NEXT_DAY = "2026-03-03"
DESK = Exam(ExamId("DESK"), "Walk-in desk", "접수 창구", "1층", minutes=5)
ENTRANCE = Actor(Role.KIOSK, frozenset({"scan_nfc", "register", "confirm_arrival"}))


def booking(exam: str, at_ms: int = 1000, status: str = "booked", *, overnight: bool = False) -> Appointment:
    """The booking of an exam, its id and public name made from the exam's."""
    return Appointment(
        AppointmentId(f"A-{exam}-{at_ms}"), ExamId(exam), f"검사 {exam}", f"room {exam}", at_ms, status, 15, overnight
    )


def entry(
    number: int,
    exam: str = "X",
    state: str = "waiting",
    *,
    opened_ms: int = 0,
    priority: int = 0,
    leg: int = 1,
    overnight: bool = False,
) -> QueueEntry:
    """The n-th entry; opened at n by default."""
    return QueueEntry(
        QueueId(f"q{number}"),
        ExamId(exam),
        f"검사 {exam}",
        f"room {exam}",
        state,
        f"B-{number:03d}",
        leg,
        opened_ms or number,
        priority,
        15,
        overnight,
    )


def patient(
    state: str = "UNREGISTERED",
    bookings: Sequence[Appointment] = (),
    entries: Sequence[QueueEntry] = (),
    current: int | None = None,
) -> Journey:
    """A patient in a state; in a visit unless unregistered, with `current` naming the entry by its number.

    An entry without a booking gets the first one of its exam that stands as the entry does.
    """
    begun = state != "UNREGISTERED"
    return Journey(
        PatientId("P1"),
        state,
        DAY,
        VisitId("v1") if begun else None,
        1 if entries else 0,
        7,
        QueueId(f"q{current}") if current else None,
        tuple(_with_booking(each, bookings) for each in entries),
        tuple(bookings),
    )


def _with_booking(entry: QueueEntry, bookings: Sequence[Appointment]) -> QueueEntry:
    fitting = (b for b in bookings if entry.appointment_id is None and agrees(RULES, b, entry, entry.state))
    found = next(fitting, None)
    return replace(entry, appointment_id=found.appointment_id) if found else entry


def action(
    name: str,
    actor: Actor = STAFF,
    *,
    number: int = 9,
    at_ms: int = 5000,
    entry: int | None = None,
    exam: str | None = None,
    room: str | None = None,
    payload: Mapping[str, Any] | None = None,
) -> Action:
    """An action. The ids of its new rows come from `number`. `entry` and `exam` name its entry."""
    return Action(
        ActionId(f"a{number}"),
        name,
        actor,
        at_ms,
        Opens(VisitId(f"v{number}"), QueueId(f"q{number}"), f"B-{number:03d}", DESK),
        QueueId(f"q{entry}") if entry else None,
        ExamId(exam) if exam else None,
        room,
        payload or {},
    )


def decided(journey: Journey, asked: Action) -> Decision:
    """The decision of the rules; fails where they refuse."""
    outcome = decide(RULES, journey, asked)
    assert isinstance(outcome, Decision), outcome
    return outcome


def refused(journey: Journey, asked: Action) -> Refusal:
    """Why the rules refuse; fails where they accept."""
    outcome = decide(RULES, journey, asked)
    assert isinstance(outcome, Refusal), outcome
    return outcome


def walked(journey: Journey, *names: str) -> Journey:
    """The journey after these actions, each by a sender who may send it."""
    for position, name in enumerate(names):
        actor = PATIENT if "patient" in RULES.actions[name].by else STAFF
        journey = decided(journey, action(name, actor, number=20 + position, at_ms=100 * position)).journey
    return journey


def states(journey: Journey) -> dict[str, str]:
    """Entry states by number."""
    return {e.queue_id: e.state for e in journey.entries}


def statuses(journey: Journey) -> dict[str, str]:
    """Appointment statuses by exam."""
    return {a.exam_id: a.status for a in journey.appointments}


def with_state(journey: Journey, state: str) -> Journey:
    """A copy of the patient's journey in another state."""
    return replace(journey, state=state)
