"""The list of what a kiosk did: every action with its effect, and every case, for an operator."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sync.control import ControlError
from sync.ids import new_id, provisional_id
from sync.journey.model import PatientId
from tests.sync.central.two_stores.acts import chained, intent_of, push
from tests.sync.central.two_stores.undoing import call, kiosk_id, moment, undo
from tests.sync.central.wire import Centre, Kiosk, cards_of


def acts(centre: Centre, kiosk: Kiosk, **more: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = call(centre, "kiosk-acts", kiosk_id=kiosk_id(kiosk), **more)["acts"]
    return found


def test_a_check_in_is_listed_with_states_entries_bookings_and_both_times(centre: Centre, kiosk: Kiosk):
    kiosk.check_in("P1")
    done_at = moment(centre)
    centre.time.pass_minutes(5)
    kiosk.sync()
    by_action = {act["action"]: act for act in acts(centre, kiosk)}
    scan, register, confirm = (by_action[each] for each in ("scan_nfc", "register", "confirm_arrival"))
    assert scan == {
        "act_id": scan["act_id"],
        "kind": "action",
        "recorded_at": moment(centre),
        "happened_at": done_at,
        "action": "scan_nfc",
        "patient_id": "P1",
        "visit_id": centre.journey("P1").visit_id,
        "from_state": "UNREGISTERED",
        "to_state": "ARRIVED",
        "verdict": "applied",
        "code": "ok",
        "entries": [],
        "opened_visit": centre.journey("P1").visit_id,
        "bookings": [],
        "named_visit": None,
        "named_patient": None,
        "effect": "in_force",
    }
    changes = [(each["appointment_id"], each["previous"], each["new"]) for each in register["bookings"]]
    assert changes == [("A1", "booked", "arrived"), ("A2", "booked", "arrived")]
    queue_id = centre.journey("P1").current_queue_id
    assert confirm["entries"] == [{"queue_id": queue_id, "queue_number": "A-001", "previous": None, "new": "waiting"}]
    assert (confirm["from_state"], confirm["to_state"]) == ("REGISTERED", "WAITING")


def test_other_names_that_a_kiosk_gave_are_listed(centre: Centre, kiosk: Kiosk, other: Kiosk):
    kiosk.tap("P1")
    other.tap("P1")
    other.sync()
    name = PatientId(provisional_id())
    kiosk.journeys.check_in_unknown(name, cards_of("P3"), "scan_nfc", new_id())
    kiosk.sync()
    alias, stranger = sorted(acts(centre, kiosk), key=lambda act: act["named_patient"] is not None)
    (row,) = centre.rows("select alias_id from visit_aliases")
    assert (alias["verdict"], alias["named_visit"]) == ("merged", row["alias_id"])
    assert stranger["named_patient"] == name


def test_an_action_that_waits_is_listed_with_its_time_and_its_case(centre: Centre, kiosk: Kiosk):
    kiosk.check_in_unknown("a card")
    done_at = moment(centre)
    centre.time.pass_minutes(5)
    kiosk.sync()
    by_kind = {act["kind"]: act for act in acts(centre, kiosk)}
    action, case = by_kind["action"], by_kind["case"]
    assert (action["verdict"], action["code"], action["effect"]) == ("needs_staff", "unknown_card", "none")
    assert (action["happened_at"], action["patient_id"]) == (done_at, None)
    assert (case["code"], case["action_id"], case["count"]) == ("unknown_card", action["act_id"], 1)
    assert case["settled_at"] is None
    assert centre.settle("discard", reason="x").done
    assert {act["kind"]: act for act in acts(centre, kiosk)}["case"]["settled_at"] == moment(centre)


def test_a_body_that_is_no_action_is_listed_without_a_type_or_a_time(centre: Centre, kiosk: Kiosk):
    push(centre, kiosk, chained([{"seq": 1}]))
    (action,) = [act for act in acts(centre, kiosk) if act["kind"] == "action"]
    assert (action["action"], action["happened_at"], action["code"]) == (None, None, "quarantined")


def test_what_was_taken_back_and_what_is_left_to_staff_say_so(centre: Centre, kiosk: Kiosk):
    kiosk.tap("P1")
    kiosk.tap("P2")
    kiosk.sync()
    assert centre.staff("register", "P1").done
    undo(centre, kiosk)
    told = {act["patient_id"]: act for act in acts(centre, kiosk) if act["kind"] == "action"}
    assert (told["P1"]["effect"], told["P1"]["verdict"]) == ("left_to_staff", "applied")
    assert (told["P2"]["effect"], told["P2"]["verdict"]) == ("taken_back", "superseded")
    assert (told["P2"]["from_state"], told["P2"]["to_state"]) == ("UNREGISTERED", "ARRIVED")


def test_acts_come_in_order_of_receipt_page_by_page(centre: Centre, kiosk: Kiosk):
    for patient_id in ("P2", "P1"):
        kiosk.check_in(patient_id)
        kiosk.sync()
        centre.time.pass_minutes(1)
    kiosk.check_in_unknown("a card")
    kiosk.sync()
    everything = acts(centre, kiosk)
    assert [act["patient_id"] for act in everything[:6]] == ["P2"] * 3 + ["P1"] * 3
    paged: list[dict[str, Any]] = []
    after, more = None, True
    while more:
        page = call(centre, "kiosk-acts", kiosk_id=kiosk_id(kiosk), limit=3, after=after)
        assert len(page["acts"]) <= 3
        paged, after, more = paged + page["acts"], page["acts"][-1]["act_id"], page["more"]
    assert paged == everything


def test_a_case_can_be_the_place_to_go_on_after(centre: Centre, kiosk: Kiosk):
    kiosk.check_in_unknown("a card")
    kiosk.sync()
    first, second = acts(centre, kiosk)
    assert acts(centre, kiosk, after=first["act_id"]) == [second]
    assert acts(centre, kiosk, after=second["act_id"]) == []


def test_a_period_limits_the_list_by_the_time_of_receipt(centre: Centre, kiosk: Kiosk):
    kiosk.tap("P1")
    kiosk.sync()
    centre.time.pass_minutes(10)
    kiosk.tap("P2")
    centre.time.pass_minutes(10)
    kiosk.sync()
    now = moment(centre)
    assert [act["patient_id"] for act in acts(centre, kiosk, since=now)] == ["P2"]
    assert [act["patient_id"] for act in acts(centre, kiosk, until="2026-03-02T09:10")] == ["P1"]
    assert len(acts(centre, kiosk, since="2026-03-02", until="2026-03-03")) == 2


def test_an_act_of_another_kiosk_is_not_listed(centre: Centre, kiosk: Kiosk, other: Kiosk):
    other.tap("P1")
    other.check_in_unknown("a card")
    other.sync()
    assert acts(centre, kiosk) == []


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ({"kiosk_id": "nobody"}, "no such kiosk"),
        ({"since": "yesterday"}, "no ISO 8601"),
        ({"until": "2026-13-01"}, "no ISO 8601"),
        ({"limit": 0}, "limit must be"),
        ({"limit": 501}, "limit must be"),
        ({"after": "nothing"}, "after must name"),
    ],
)
def test_a_query_that_means_nothing_is_refused(centre: Centre, kiosk: Kiosk, query: dict[str, object], why: str):
    with pytest.raises(ControlError, match=why):
        call(centre, "kiosk-acts", **({"kiosk_id": kiosk_id(kiosk)} | query))


def test_an_act_of_another_kiosk_is_no_place_in_the_list(centre: Centre, kiosk: Kiosk, other: Kiosk):
    push(centre, other, chained([intent_of(other)]))
    (act,) = acts(centre, other)
    with pytest.raises(ControlError, match="after must name"):
        acts(centre, kiosk, after=act["act_id"])


def test_a_look_at_the_list_leaves_a_row_of_the_audit_with_the_patients(centre: Centre, kiosk: Kiosk):
    kiosk.check_in("P1")
    kiosk.tap("P2")
    kiosk.sync()
    acts(centre, kiosk)
    (row,) = centre.rows("select who, detail from audit where kind = 'look:kiosk_acts'")
    assert row["who"] == "command line"
    assert msgspec.json.decode(str(row["detail"]))["patient_ids"] == ["P1", "P2"]
