"""An action with an internal error goes into quarantine. The others are judged, and staff settle its case as any
other.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest

from sync.central.services.inbox import list_cases, show_case
from sync.central.services.told import Told
from sync.protocol import Code, Verdict
from tests.sync.central.two_stores.acts import bind_card, transitions, verdicts
from tests.sync.central.wire import Centre, Kiosk

FAILED = ("needs_staff", "quarantined")


@contextmanager
def failing(centre: Centre, action: str) -> Iterator[None]:
    """A centre whose tables cannot take this action."""
    with centre.store.write() as db:
        centre.database.refuse(db, "insert", "transitions", f"new.action = '{action}'")
    yield
    with centre.store.write() as db:
        centre.database.refuse_no_more(db, "transitions")


@pytest.fixture
def set_aside(centre: Centre, kiosk: Kiosk) -> Centre:
    """P1's registration met an internal error. Earlier actions and those of other patients did not."""
    kiosk.check_in("P1")
    kiosk.check_in("P2")
    with failing(centre, "register"):
        kiosk.pusher.limit = 3
        kiosk.pusher.run_once()
        centre.time.pass_minutes(1)  # two cases of one moment may come in either order
        kiosk.sync()
    assert verdicts(kiosk) == [
        ("applied", "ok"),
        FAILED,
        ("needs_staff", "depends"),
        ("applied", "ok"),
        FAILED,
        ("needs_staff", "depends"),
    ]
    return centre


def case_of(centre: Centre, patient_id: str) -> dict[str, object]:
    listed = list_cases(centre.parts)
    assert isinstance(listed, Told)
    (found,) = [each for each in msgspec.to_builtins(listed.value)["exceptions"] if each["patient_id"] == patient_id]
    case = show_case(centre.parts, str(found["exception_id"]))
    assert isinstance(case, Told)
    return dict(msgspec.to_builtins(case.value))


def test_the_case_names_the_patient_and_the_action_that_was_set_aside(set_aside: Centre):
    case = case_of(set_aside, "P1")
    assert (case["code"], case["may"]) == ("quarantined", ["apply", "discard", "reassign"])
    assert [each["action_type"] for each in case["actions"]] == ["register", "confirm_arrival"]  # type: ignore[attr-defined]
    assert case["quarantined"]["reason"] == "internal error"  # type: ignore[index]


def test_it_is_applied_once_the_defect_is_gone_with_all_actions_made_on_top(set_aside: Centre, kiosk: Kiosk):
    with failing(set_aside, "register"):
        refused = set_aside.settle("apply")
    assert msgspec.json.decode(refused.body)["code"] == "not_applicable"
    assert set_aside.journey("P1").state == "ARRIVED"
    assert len(set_aside.open_cases()) == 2
    assert set_aside.settle("apply").done
    kiosk.sync()
    assert verdicts(kiosk)[:3] == [("applied", "ok")] * 3
    assert kiosk.base("P1") == set_aside.journey("P1")
    assert [row[1] for row in transitions(set_aside, "P1")] == ["scan_nfc", "register", "confirm_arrival"]
    assert set_aside.open_cases() == ["quarantined"]


def test_it_is_discarded_although_it_would_fail_again(set_aside: Centre, kiosk: Kiosk):
    with failing(set_aside, "register"):
        assert set_aside.settle("discard", reason="it was the wrong card").done
    kiosk.sync()
    assert verdicts(kiosk)[:3] == [("applied", "ok"), ("superseded", "discarded"), ("superseded", "discarded")]
    assert set_aside.journey("P1").state == "ARRIVED"
    assert set_aside.settle("apply").done, "the other case stays open"
    assert set_aside.rows("select * from waiting") == []


def test_it_is_reassigned_to_the_right_patient(set_aside: Centre, kiosk: Kiosk):
    assert set_aside.staff("scan_nfc", "P3").done
    assert set_aside.settle("reassign", patient_id="P3").done
    kiosk.sync()
    assert (set_aside.journey("P3").state, set_aside.journey("P1").state) == ("WAITING", "ARRIVED")
    assert verdicts(kiosk)[1:3] == [("applied", "ok")] * 2


def test_binding_a_card_judges_what_it_can_and_no_defect_hinders_staff(centre: Centre, kiosk: Kiosk):
    """An action that waits for a card meets an internal error, in several ways."""
    kiosk.check_in_unknown("new")
    kiosk.sync()
    with failing(centre, "scan_nfc"):
        bind_card(centre, "new", "P3")
    kiosk.pull()
    assert kiosk.last() == (Verdict.NEEDS_STAFF, Code.UNKNOWN_CARD)
    assert centre.settle("apply").done
    assert centre.journey("P3").state == "ARRIVED"
