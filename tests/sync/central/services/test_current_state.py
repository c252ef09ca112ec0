"""The order of the lists in a patient's current state, which apps and screens show unchanged."""

from __future__ import annotations

import pytest

from sync.journey.model import PATIENT, STAFF, Actor
from tests.sync.central.centre import DAY, Centre, patient

ONE = patient(1)
TO_WAITING = ("scan_nfc", "register", "confirm_arrival")


def test_the_places_in_line_are_in_the_order_in_which_they_were_opened(centre: Centre):
    first = centre.walk(ONE, *TO_WAITING)["queue_details"][0]["queue_id"]
    for action in ("call_patient", "start_exam", "complete_exam", "confirm_arrival"):
        centre.walk(ONE, action)
    with centre.store.write() as db:
        db.execute("update entries set state = 'waiting' where queue_id = :id", {"id": first})
    (second,) = (row["queue_id"] for row in centre.rows("select queue_id from entries") if row["queue_id"] != first)

    def places() -> list[str]:
        return [entry["queue_id"] for entry in centre.state(ONE)["queue_details"]]

    assert places() == [first, second], "opened at the same moment: the id decides"
    with centre.store.write() as db:
        db.execute("update entries set opened_ms = opened_ms - 1000 where queue_id = :id", {"id": second})
    assert places() == [second, first]


def test_the_appointments_are_in_the_order_of_their_times(centre: Centre):
    booked = (("b", "xray", "14:00"), ("a", "sleep", "14:00"), ("c", "blood", "08:30"))
    centre.take(
        {
            "exams": [],
            "patients": [{"patient_id": "new", "name": "환자"}],
            "appointments": [
                {"appointment_id": id_, "patient_id": "new", "exam_id": exam, "scheduled_at": f"{DAY}T{at}"}
                for id_, exam, at in booked
            ],
        },
    )
    assert [booking["appointment_id"] for booking in centre.state("new")["appointments"]] == ["c", "a", "b"]


@pytest.mark.parametrize(
    ("way", "actor", "actions"),
    [
        (TO_WAITING, STAFF, ("call_patient", "mark_no_show", "cancel_appointment")),
        ((*TO_WAITING, "call_patient"), STAFF, ("enter_exam_room", "start_exam", "mark_no_show", "cancel_appointment")),
        ((*TO_WAITING, "call_patient", "start_exam", "complete_exam"), PATIENT, ("confirm_arrival", "make_payment")),
    ],
)
def test_the_actions_are_in_the_order_of_the_definitions(
    centre: Centre, way: tuple[str, ...], actor: Actor, actions: tuple[str, ...]
):
    centre.walk(ONE, *way)
    assert centre.state(ONE, actor)["available_actions"] == actions
