"""The oracle of the storm: what it must call untrue, staged, and what it must let pass."""

from __future__ import annotations

from typing import Any

import pytest

from sync.journey.model import Appointment, AppointmentId, ExamId, Journey, PatientId, QueueEntry, QueueId
from tests.storm.kiosk_rows import Row, View
from tests.storm.sentences import Look, untruths

NAME = "A1x*0"


def entry(state: str, number: str = "B-001") -> QueueEntry:
    return QueueEntry(QueueId(number), ExamId("X"), "X-ray", "Room 22", state, number, 1, 0)


def known(state: str, *entries: QueueEntry, booked: str = "", status: str = "applied") -> View:
    bookings = (Appointment(AppointmentId("A"), ExamId("X"), "X-ray", "Room 22", 0, booked),) if booked else ()
    current = entries[0].queue_id if entries else None
    journey = Journey(PatientId("P1"), state, "2026-03-02", None, 1, 1, current, entries, bookings)
    return View("P1", journey, provisional=False, rows=(Row("a", "register", "P1", "P1", status, "", "", 0),))


def look(view: View | None, *lines: str, button: str | None = None, **shown: Any) -> Look:
    glass = {"lines": [*lines, *([button] if button else [])], "label": button, "screen": "journey", "language": "en"}
    patient = "P1" if view else None
    glass |= {"patient": patient, "whole": "\n".join(lines), **shown}
    screen = {"patient": {"patient_id": "P1"} if view else None, "settling": False, "central": {"online": True}}
    return Look(glass, screen, view, frozenset({NAME}))


WAITING = known("WAITING", entry("waiting"))


@pytest.mark.parametrize(
    ("view", "lines"),
    [
        (known("WAITING", entry("no_show")), ["Please wait until it is called.", "Room 22"]),
        (WAITING, ["Please wait until it is called.", "Room 22"]),
        (known("COMPLETED", entry("cancelled")), ["Your exam is done", "Room 22"]),
        (known("COMPLETED", entry("completed")), ["Next is X-ray.", "desk"]),
        (known("COMPLETED", entry("completed"), booked="booked"), ["Please go to the payment desk."]),
        (known("FINISHED", entry("completed"), booked="booked"), ["All is done for today", "desk"]),
        (known("FINISHED", entry("waiting")), ["All is done for today", "desk"]),
        (WAITING, ["No need to tap again.", "Room 22"]),
        (WAITING, ["Please go in now", "Room 22"]),
        (known("WAITING", entry("waiting"), status="pending"), ["Confirmed", "Room 22"]),
        (WAITING, ["Saved here", "Room 22"]),
        (known("REGISTERED", booked="booked"), ["No appointment today", "desk"]),
        (WAITING, ["Your check-in was changed.", "Room 22"]),
        (WAITING, ["C-009", "Room 22"]),
        (known("COMPLETED", entry("cancelled")), ["B-001", "Room 22"]),
        (known("WAITING", entry("waiting"), status="superseded"), ["Your number B-001 is no longer valid.", "Room 22"]),
        (WAITING, ["Please go on"]),
        (known("COMPLETED", entry("completed")), ["2 people ahead", "desk"]),
        (WAITING, ["Please go to Room 22"]),
        (WAITING, ["Get well soon.", "Room 22"]),
    ],
)
def test_a_sentence_that_the_state_contradicts_is_untrue(view: View, lines: list[str]):
    assert len(untruths(look(view, *lines))) == 1


def test_no_need_to_tap_again_is_untrue_beside_a_button():
    pending = known("REGISTERED", booked="booked", status="pending")
    assert untruths(look(pending, "No need to tap again.", "desk")) == []
    assert len(untruths(look(pending, "No need to tap again.", "desk", button="Confirm arrival"))) == 1


@pytest.mark.parametrize(
    ("view", "lines"),
    [
        (WAITING, ["B-001", "Please wait until it is called.", "Confirmed", "Room 22"]),
        (known("CALLED", entry("called")), ["Please go in now", "B-001", "Room 22"]),
        (known("COMPLETED", entry("completed")), ["Your exam is done", "Please go to the desk."]),
        (
            known("WAITING", entry("waiting", "C-002"), status="superseded"),
            ["B-001 is no longer valid", "C-002", "desk"],
        ),
    ],
)
def test_a_true_sentence_is_no_fault(view: View, lines: list[str]):
    assert untruths(look(view, *lines)) == []


def test_a_button_that_a_sentence_names_is_there():
    said = 'Is this correct? Press "Register now".'
    arrived = known("ARRIVED", booked="booked")
    assert untruths(look(arrived, said, button="Register now")) == []
    assert len(untruths(look(arrived, said, "desk"))) == 1
    assert len(untruths(look(arrived, said, button="Confirm arrival"))) == 1


def test_a_name_on_the_glass_is_that_of_the_card_that_was_held():
    assert untruths(look(WAITING, NAME, "Room 22")) == []
    assert untruths(look(WAITING, "A2x*1", "Room 22")) == ["the name A2x*1 is on the glass"]


def test_nobodys_name_stays_after_they_have_left():
    assert untruths(look(None, NAME, screen="attract")) == [f"the name {NAME} is on the glass"]


def test_the_glass_and_the_kiosk_are_about_one_person():
    (fault,) = untruths(look(WAITING, "Room 22", patient="P2"))
    assert fault.startswith("the glass is about P2")
