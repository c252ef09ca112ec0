"""A press of staff that was undone, between the real stores of both ends: what kiosks had built on it, and what not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sync.central.maintenance.health import check
from sync.central.services.answers import Answer
from sync.central.services.perform_action import perform
from sync.central.services.requester import Requester
from sync.central.services.requests import ActionRequest
from sync.central.services.undo_press import undo_press
from sync.ids import new_id
from sync.journey.model import STAFF
from sync.protocol import Code, Verdict
from tests.sync.central.two_stores.undoing import undo as undo_kiosk
from tests.sync.central.wire import Centre, Kiosk

NURSE = Requester(STAFF, "staff:Nurse", "rest")


@pytest.fixture(autouse=True)
def well(centre: Centre) -> Iterator[None]:
    yield
    with centre.store.read() as db:
        health = check(db, centre.definitions)
    assert health.ok


def press(centre: Centre, action: str, patient_id: str = "P1", **payload: object) -> str:
    """A press of staff; its action id."""
    action_id = new_id()
    assert perform(centre.parts, NURSE, patient_id, ActionRequest(action, action_id, payload)).done
    return action_id


def undo(centre: Centre, undoes: str) -> Answer:
    return undo_press(centre.parts, NURSE, ActionRequest("undo_press", new_id(), {"undoes": undoes}))


def assert_in_step(centre: Centre, *kiosks: Kiosk) -> None:
    for kiosk in kiosks:
        kiosk.pull()
        assert kiosk.base("P1") == centre.journey("P1") == kiosk.view("P1")


def test_an_action_of_a_kiosk_that_is_built_on_an_undone_call_is_superseded(centre: Centre, kiosk: Kiosk):
    kiosk.check_in("P1")
    kiosk.sync()
    called = press(centre, "call_patient")
    kiosk.pull()
    kiosk.act("P1", "enter_exam_room")
    assert undo(centre, called).done
    kiosk.sync()
    assert kiosk.last() == (Verdict.SUPERSEDED, Code.CORRECTED)
    assert centre.journey("P1").state == "WAITING"
    assert_in_step(centre, kiosk)


def test_an_action_of_a_kiosk_that_never_knew_the_press_counts(centre: Centre, kiosk: Kiosk, other: Kiosk):
    kiosk.check_in("P1")
    kiosk.sync()
    press(centre, "call_patient")
    kiosk.pull()
    kiosk.act("P1", "enter_exam_room")
    missed = press(centre, "mark_no_show")
    assert undo(centre, missed).done
    kiosk.sync()
    assert kiosk.last() == (Verdict.APPLIED, Code.OK)
    assert centre.journey("P1").state == "IN_PROGRESS"
    assert_in_step(centre, kiosk, other)


def test_an_action_of_a_kiosk_that_came_first_forbids_the_undo(centre: Centre, kiosk: Kiosk):
    kiosk.check_in("P1")
    kiosk.sync()
    called = press(centre, "call_patient")
    kiosk.pull()
    kiosk.act("P1", "enter_exam_room")
    kiosk.sync()
    assert undo(centre, called).status == 409
    assert centre.journey("P1").state == "IN_PROGRESS"


def test_a_press_that_was_undone_keeps_nobody_from_taking_back_what_the_kiosk_did_before(centre: Centre, kiosk: Kiosk):
    kiosk.check_in("P1")
    kiosk.sync()
    assert undo(centre, press(centre, "call_patient")).done
    assert undo_kiosk(centre, kiosk)["patients_put_back"] == 1
    assert centre.journey("P1").state == "UNREGISTERED"
