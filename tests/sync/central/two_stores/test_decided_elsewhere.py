"""Kiosks while another system of the hospital decides some actions: they wait for its word, and then for staff."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from sync.central.operations.desk import OPERATOR
from sync.central.operations.hospital import hospital_operations
from sync.central.services.inbox import list_cases
from sync.central.services.requester import Requester
from sync.central.services.settle_waits import settle_waits
from sync.central.services.take_word import take_word
from sync.central.services.told import Told
from sync.central.services.word_bodies import read_word
from sync.ids import new_id
from sync.journey.model import Actor, Role
from sync.protocol import Code, Verdict
from tests.sync.central.two_stores.acts import transitions, verdicts
from tests.sync.central.wire import Centre, Kiosk

OLD = Requester(Actor(Role.INTEGRATION), "integration:old", "legacy")
WAITS = (Verdict.NEEDS_STAFF, Code.DECIDED_ELSEWHERE)
UNCONFIRMED = (Verdict.NEEDS_STAFF, Code.NOT_CONFIRMED)


def let(centre: Centre, *decides: str) -> None:
    """An operator says who decides actions."""
    hospital_operations(centre.parts, OPERATOR)["site"]({"decides": list(decides)})


def word(centre: Centre, patient_id: str, action_type: str, moves: str, **more: Any) -> dict[str, Any]:
    """A word of the other system now: `moves` is such as ARRIVED>REGISTERED."""
    before, after = moves.split(">")
    told = {
        "word_id": new_id(),
        "patient_id": patient_id,
        "action_type": action_type,
        "from": before,
        "to": after,
        "at": centre.time(),
    }
    request = read_word({**told, **more})
    answer = take_word(centre.parts, OLD, request)  # type: ignore[arg-type]
    found = json.loads(answer.body)
    assert answer.done, found
    return dict(found)


def cases_for_staff(centre: Centre) -> list[str]:
    """The codes of the cases that staff are shown."""
    listed = list_cases(centre.parts)
    assert isinstance(listed, Told)
    return [case["code"] for case in msgspec.to_builtins(listed.value)["exceptions"]]


@pytest.fixture
def told(centre: Centre, kiosk: Kiosk) -> Kiosk:
    """A kiosk that has heard that the other system decides registrations and arrivals."""
    let(centre, "register=legacy", "confirm_arrival=shadow")
    kiosk.pull()
    return kiosk


def test_a_press_moves_nothing_at_the_kiosk_and_gives_no_number(centre: Centre, told: Kiosk):
    told.tap("P1")
    assert told.act("P1", "register").refusal is None
    status = told.journeys.patient_status("P1")
    assert status is not None
    assert (status.journey.state, status.awaited, status.needs_staff) == ("ARRIVED", True, False)
    told.sync()
    assert told.last() == WAITS
    status = told.journeys.patient_status("P1")
    assert status is not None
    assert (status.journey.state, status.awaited, status.needs_staff) == ("ARRIVED", True, False)
    assert centre.journey("P1").state == "ARRIVED"


def test_the_word_settles_the_press_and_brings_the_number(centre: Centre, told: Kiosk):
    told.tap("P1")
    told.act("P1", "register")
    told.sync()
    assert word(centre, "P1", "register", "ARRIVED>REGISTERED")["outcome"] == "followed"
    told.sync()
    assert told.last() == (Verdict.MERGED, Code.ALREADY_SO)
    told.act("P1", "confirm_arrival")
    told.sync()
    assert told.last() == WAITS
    assert told.view("P1").entries == ()
    entry = {"exam_id": "X", "state": "waiting", "queue_number": "17"}
    word(centre, "P1", "confirm_arrival", "REGISTERED>WAITING", entries=[entry])
    told.sync()
    assert told.last() == (Verdict.MERGED, Code.ALREADY_SO)
    view = told.view("P1")
    assert (view.state, [each.queue_number for each in view.entries]) == ("WAITING", ["17"])
    status = told.journeys.patient_status("P1")
    assert status is not None
    assert not status.awaited
    assert centre.open_cases() == []
    assert [row[:3] for row in transitions(centre, "P1")] == [
        ("UNREGISTERED", "scan_nfc", "ARRIVED"),
        ("ARRIVED", "register", "REGISTERED"),
        ("REGISTERED", "confirm_arrival", "WAITING"),
    ]


def test_a_word_that_came_first_settles_the_press_at_once(centre: Centre, told: Kiosk):
    told.tap("P1")
    told.sync()
    told.act("P1", "register")
    word(centre, "P1", "register", "ARRIVED>REGISTERED")
    told.sync()
    assert told.last() == (Verdict.MERGED, Code.ALREADY_SO)
    assert centre.open_cases() == []


def test_after_a_minute_without_a_word_staff_get_the_press(centre: Centre, told: Kiosk):
    told.tap("P1")
    told.act("P1", "register")
    told.sync()
    centre.time.pass_minutes(0.9)
    assert settle_waits(centre.parts) == 0
    assert (
        centre.rows("select exception_id from exceptions where settled_ms is null and code <> 'decided_elsewhere'")
        == []
    )
    centre.time.pass_minutes(0.2)
    assert settle_waits(centre.parts) == 1
    assert cases_for_staff(centre) == ["not_confirmed"]
    told.pull()
    assert told.last() == UNCONFIRMED
    status = told.journeys.patient_status("P1")
    assert status is not None
    assert (status.awaited, status.needs_staff) == (False, True)
    assert centre.settle("apply", "not_confirmed").done
    told.pull()
    assert told.last() == (Verdict.APPLIED, Code.OK)
    assert centre.journey("P1").state == "REGISTERED"


def test_a_late_word_settles_the_case_of_staff(centre: Centre, told: Kiosk):
    told.tap("P1")
    told.act("P1", "register")
    told.sync()
    centre.time.pass_minutes(2)
    settle_waits(centre.parts)
    word(centre, "P1", "register", "ARRIVED>REGISTERED")
    told.pull()
    assert told.last() == (Verdict.MERGED, Code.ALREADY_SO)
    assert centre.open_cases() == []


def test_what_was_done_on_top_waits_with_it_and_follows(centre: Centre, kiosk: Kiosk):
    let(centre, "scan_nfc=legacy")
    kiosk.check_in("P1")  # the kiosk has not heard of it
    kiosk.push()
    assert [row[-2:] for row in verdicts(kiosk)] == [WAITS, *2 * [(Verdict.NEEDS_STAFF, Code.DEPENDS)]]
    word(centre, "P1", "scan_nfc", "UNREGISTERED>ARRIVED")
    kiosk.pull()
    assert centre.journey("P1").state == "WAITING"
    assert centre.open_cases() == []


def test_a_tap_that_waits_is_not_asked_twice(centre: Centre, kiosk: Kiosk):
    let(centre, "scan_nfc=legacy")
    kiosk.pull()
    assert kiosk.tap("P1").action_ids
    assert not kiosk.tap("P1").action_ids
    kiosk.sync()
    assert not kiosk.tap("P1").action_ids
    word(centre, "P1", "scan_nfc", "UNREGISTERED>ARRIVED")
    kiosk.sync()
    assert kiosk.last()[0] is Verdict.MERGED
    assert kiosk.view("P1").state == "ARRIVED"


def test_what_waits_is_decided_by_the_rules_once_the_centre_decides(centre: Centre, told: Kiosk):
    told.tap("P1")
    told.act("P1", "register")
    told.sync()
    let(centre, "register=new")
    assert centre.journey("P1").state == "REGISTERED"
    told.pull()
    assert told.last() == (Verdict.APPLIED, Code.OK)
    let(centre, "register=legacy")
    assert centre.journey("P1").state == "REGISTERED"


def test_a_payment_that_the_other_system_has_taken_goes_to_staff_with_both_receipts(centre: Centre, kiosk: Kiosk):
    kiosk.check_in("P2")
    kiosk.sync()
    for action in ("call_patient", "start_exam", "complete_exam"):
        assert centre.staff(action, "P2").done
    let(centre, "make_payment=legacy")
    kiosk.pull()
    kiosk.act("P2", "make_payment", receipt_id="R1")
    kiosk.sync()
    assert kiosk.last() == WAITS
    word(centre, "P2", "make_payment", "COMPLETED>PAYMENT")
    kiosk.pull()
    assert kiosk.last() == (Verdict.MERGED, Code.ANSWERS_DIFFER)
    assert centre.open_cases() == ["answers_differ"]
    assert centre.journey("P2").state == "PAYMENT"


def test_what_is_pending_is_shown_by_the_flags_of_the_last_pull(centre: Centre, kiosk: Kiosk):
    kiosk.tap("P1")
    kiosk.act("P1", "register")
    assert kiosk.view("P1").state == "REGISTERED"
    let(centre, "register=legacy")
    kiosk.pull()
    status = kiosk.journeys.patient_status("P1")
    assert status is not None
    assert (status.journey.state, status.awaited) == ("ARRIVED", True)
    let(centre, "register=new")
    kiosk.pull()
    assert kiosk.view("P1").state == "REGISTERED"


def test_the_flags_travel_with_the_pull_and_need_no_restart(centre: Centre, kiosk: Kiosk):
    def elsewhere() -> tuple[str, ...]:
        assert kiosk.journeys.identity is not None
        return kiosk.journeys.identity.site.decided_elsewhere

    assert elsewhere() == ()
    let(centre, "register=shadow", "leave_hospital=legacy")
    kiosk.pull()
    assert elsewhere() == ("leave_hospital", "register")
    let(centre, "register=new")
    kiosk.pull()
    assert elsewhere() == ("leave_hospital",)
