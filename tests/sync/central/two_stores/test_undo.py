"""Taking back what a kiosk did today: the journeys go back, and an honest act is never undone."""

from __future__ import annotations

import msgspec
import pytest

from sync.ids import new_id, provisional_id
from sync.journey.model import PatientId
from sync.protocol import Code, Verdict
from tests.sync.central.two_stores.acts import chained, finish, give_card, intent_of, push, transitions, verdicts
from tests.sync.central.two_stores.undoing import (
    REASON,
    by_another_kiosk,
    by_another_kiosk_in_vain,
    by_staff,
    entries,
    is_well,
    kiosk_id,
    moment,
    state,
    undo,
)
from tests.sync.central.wire import Centre, Kiosk, cards_of


def test_a_check_in_that_only_the_kiosk_did_is_as_if_it_had_never_been(centre: Centre, kiosk: Kiosk, other: Kiosk):
    before = state(centre, "P1")
    kiosk.check_in("P1")
    kiosk.sync()
    assert undo(centre, kiosk) == {"patients_put_back": 1, "acts_taken_back": 3}
    assert state(centre, "P1") == before
    assert entries(centre, "P1") == [("A-001", "cancelled")]
    assert centre.rows("select count(*) as n from visits where closed_ms is null") == [{"n": 0}]
    assert transitions(centre, "P1")[-1] == ("WAITING", "take_back", "UNREGISTERED", "desk")
    (row,) = centre.rows("select previous, new, reason, who from entry_history where reason = :reason", reason=REASON)
    assert tuple(row.values()) == ("waiting", "cancelled", REASON, "command line")
    assert is_well(centre)
    kiosk.pull()
    assert verdicts(kiosk) == [("superseded", "corrected")] * 3
    other.pull()
    assert other.view("P1").state == kiosk.view("P1").state == "UNREGISTERED"
    other.check_in("P1")
    other.sync()
    assert state(centre, "P1")[0] == "WAITING"


def test_an_arrival_in_another_kiosks_visit_goes_back_to_before_it(centre: Centre, kiosk: Kiosk, other: Kiosk):
    other.tap("P1")
    other.act("P1", "register")
    other.sync()
    before = state(centre, "P1")
    centre.time.pass_minutes(1)
    kiosk.pull()
    kiosk.act("P1", "confirm_arrival")
    kiosk.sync()
    undo(centre, kiosk)
    assert state(centre, "P1") == before
    assert centre.journey("P1").leg == 0
    assert is_well(centre)
    other.pull()
    other.act("P1", "confirm_arrival")
    other.sync()
    assert other.last() == (Verdict.APPLIED, Code.OK)
    assert entries(centre, "P1") == [("A-001", "cancelled"), ("B-001", "waiting")]


def by_a_correction(centre: Centre, _: Kiosk) -> None:
    assert centre.correct("P1", "REGISTERED").done


def by_a_merge(centre: Centre, _: Kiosk) -> None:
    assert centre.merge("P1", "P3").done


@pytest.mark.parametrize(
    "acted",
    [by_another_kiosk, by_another_kiosk_in_vain, by_staff, by_a_correction, by_a_merge],
    ids=lambda f: f.__name__,
)
def test_where_somebody_else_has_acted_since_nothing_moves_and_staff_get_one_case(
    centre: Centre, kiosk: Kiosk, other: Kiosk, acted
):
    kiosk.tap("P1")
    kiosk.sync()
    acted(centre, other)
    before, journey = state(centre, "P1"), centre.journey("P1")
    assert undo(centre, kiosk)["cases_opened"] == 1
    assert undo(centre, kiosk) == {"cases_to_decide": 1}
    assert (state(centre, "P1"), centre.journey("P1")) == (before, journey)
    (case,) = centre.rows("select * from exceptions where code = 'not_taken_back'")
    assert (case["patient_id"], case["kiosk_id"]) == ("P1", kiosk_id(kiosk))
    detail = msgspec.json.decode(str(case["detail"]))
    assert (detail["why"], detail["reason"]) == (["others_acted"], REASON)
    (act,) = detail["acts"]
    assert (act["from_state"], act["to_state"]) == ("UNREGISTERED", "ARRIVED")
    kiosk.pull()
    assert kiosk.last() == (Verdict.APPLIED, Code.OK)


def test_an_action_of_another_kiosk_that_waits_for_staff_is_no_act_yet(centre: Centre, kiosk: Kiosk, other: Kiosk):
    kiosk.tap("P1")
    kiosk.sync()
    with centre.store.write() as db:
        db.execute(
            "insert into verdicts select 'waits', 0, :other, 1, patient_id, visit_id, 'needs_staff', 'forbidden', 0,"
            " null, null, null, 1, null, 0, recorded_ms from verdicts",
            {"other": kiosk_id(other)},
        )
    assert undo(centre, kiosk) == {"patients_put_back": 1, "acts_taken_back": 1}


def test_a_second_number_and_an_earlier_time_that_the_kiosk_claimed_are_gone(
    centre: Centre, kiosk: Kiosk, other: Kiosk
):
    kiosk.check_in("P1")  # offline, and earlier than the honest one
    centre.time.pass_minutes(5)
    other.check_in("P1")
    other.sync()
    (visit,), journey = centre.rows("select * from visits"), centre.journey("P1")
    centre.time.pass_minutes(1)
    kiosk.sync()
    assert centre.journey("P1").entries[0].label_aliases == ("A-001",)
    assert centre.rows("select opened_ms from visits") != [{"opened_ms": visit["opened_ms"]}]
    told = undo(centre, kiosk)
    assert told == {"patients_put_back": 1, "names_ended": 1, "acts_taken_back": 2}
    assert centre.journey("P1").entries == journey.entries
    assert centre.rows("select * from visits") == [visit]
    assert centre.rows("select * from visit_aliases") == []


def test_a_time_of_arrival_goes_back_through_all_that_the_kiosk_claimed(centre: Centre, kiosk: Kiosk, other: Kiosk):
    claims = []
    for _ in range(3):
        claims.append(kiosk.clock())
        centre.time.pass_minutes(5)
    other.tap("P1")
    other.sync()
    (visit,) = centre.rows("select * from visits")
    centre.time.pass_minutes(5)
    new = [(new_id(), new_id()) for _ in claims]
    bodies: list[object] = [
        intent_of(kiosk, seq=seq, clock=claims[-seq], action_id=new[-seq][0], visit_id=new[-seq][1])
        for seq in range(1, len(claims) + 1)
    ]
    push(centre, kiosk, chained(bodies))
    assert centre.rows("select opened_ms from visits") != [{"opened_ms": visit["opened_ms"]}]
    assert undo(centre, kiosk) == {"names_ended": 3, "acts_taken_back": 3}
    assert centre.rows("select * from visits") == [visit]


def test_an_earlier_arrival_that_another_kiosk_named_since_stays(centre: Centre, kiosk: Kiosk, other: Kiosk):
    other.tap("P1")  # without a network, and the earliest
    arrived_ms = centre.time()
    centre.time.pass_minutes(5)
    kiosk.tap("P1")
    centre.time.pass_minutes(5)
    assert centre.staff("scan_nfc", "P1").done
    kiosk.sync()
    other.sync()
    undo(centre, kiosk)
    assert centre.rows("select opened_ms from visits") == [{"opened_ms": arrived_ms}]


def test_a_kiosks_own_name_for_a_patient_ends(centre: Centre, kiosk: Kiosk):
    name = PatientId(provisional_id())
    kiosk.journeys.check_in_unknown(name, cards_of("P3"), "scan_nfc", new_id())
    kiosk.sync()
    assert undo(centre, kiosk) == {"patients_put_back": 1, "names_ended": 1, "acts_taken_back": 1}
    assert centre.rows("select * from patient_aliases") == []
    assert state(centre, "P3")[0] == "UNREGISTERED"


def test_a_discarded_action_gives_nobody_a_name(centre: Centre, kiosk: Kiosk):
    kiosk.check_in_unknown("new")
    kiosk.sync()
    give_card(centre, "P3", "P2")
    with centre.store.write() as db:
        db.execute(
            "update waiting set intent = replace(intent, :new, :known)",
            {"new": cards_of("new")[0].uid_hash, "known": cards_of("P3")[0].uid_hash},
        )
    assert centre.settle("discard", reason="a joke").done
    assert centre.rows("select * from patient_aliases") == []


def test_money_that_has_moved_is_for_staff(centre: Centre, kiosk: Kiosk):
    for action in ("scan_nfc", "register", "confirm_arrival", "call_patient", "start_exam", "complete_exam"):
        assert centre.staff(action, "P2").done
    kiosk.pull()
    kiosk.act("P2", "make_payment", receipt_id="R-1")
    kiosk.sync()
    assert undo(centre, kiosk) == {"cases_opened": 1}
    assert centre.journey("P2").state == "PAYMENT"
    (case,) = centre.rows("select detail from exceptions")
    assert msgspec.json.decode(str(case["detail"]))["why"] == ["money"]


def test_what_staff_made_count_is_for_staff(centre: Centre, kiosk: Kiosk):
    kiosk.tap("P1")
    assert centre.block_card("P1").done
    kiosk.sync()
    assert centre.settle("apply").done
    assert centre.journey("P1").state == "ARRIVED"
    assert undo(centre, kiosk) == {"cases_opened": 1}
    assert centre.journey("P1").state == "ARRIVED"


def test_where_the_rules_no_longer_know_a_state_staff_get_a_case(centre: Centre, kiosk: Kiosk):
    kiosk.tap("P1")
    kiosk.sync()
    with centre.store.write() as db:
        db.execute("update effects set changed = replace(changed, 'UNREGISTERED', 'AT_THE_DOOR')")
    assert undo(centre, kiosk) == {"cases_opened": 1}
    (case,) = centre.rows("select detail from exceptions")
    assert msgspec.json.decode(str(case["detail"]))["why"] == ["other_rules"]


def test_a_visit_that_the_kiosk_closed_goes_on(centre: Centre, kiosk: Kiosk, other: Kiosk):
    other.check_in("P2")
    other.sync()
    centre.time.pass_minutes(1)
    since = moment(centre)
    finish(centre, kiosk, "P2")
    assert centre.journey("P2").state == "UNREGISTERED"
    assert undo(centre, kiosk, since)["patients_put_back"] == 1
    assert centre.journey("P2").state == "FINISHED"
    assert centre.rows("select visit_id, closed_ms from visits") == [
        {"visit_id": centre.journey("P2").visit_id, "closed_ms": None}
    ]
    assert is_well(centre)


def test_acts_before_an_act_that_stays_are_left_to_staff(centre: Centre, kiosk: Kiosk):
    kiosk.tap("P1")
    kiosk.sync()
    first = moment(centre)
    centre.time.pass_minutes(10)
    kiosk.act("P1", "register")
    kiosk.sync()
    assert undo(centre, kiosk, until=first) == {"cases_opened": 1}
    assert centre.journey("P1").state == "REGISTERED"


def test_two_kiosks_that_built_on_one_another_are_taken_back_one_after_the_other(
    centre: Centre, kiosk: Kiosk, other: Kiosk
):
    kiosk.tap("P1")
    kiosk.sync()
    other.pull()
    centre.time.pass_minutes(1)
    other.act("P1", "register")
    other.sync()
    assert undo(centre, other)["patients_put_back"] == 1
    assert centre.journey("P1").state == "ARRIVED"
    assert undo(centre, kiosk)["patients_put_back"] == 1
    assert centre.journey("P1").state == "UNREGISTERED"
    assert is_well(centre)


def test_an_arrival_at_another_kiosk_meanwhile_is_not_lost_with_the_visit(centre: Centre, kiosk: Kiosk, other: Kiosk):
    kiosk.tap("P1")
    kiosk.sync()
    centre.time.pass_minutes(5)
    other.check_in("P1")  # without a network
    centre.time.pass_minutes(5)
    undo(centre, kiosk)
    centre.time.pass_minutes(5)
    other.sync()
    assert verdicts(other) == [("applied", "ok")] * 3
    assert centre.journey("P1").state == "WAITING"


def test_what_was_done_at_another_kiosk_in_a_visit_that_ends_is_for_staff(centre: Centre, kiosk: Kiosk, other: Kiosk):
    kiosk.tap("P1")
    kiosk.act("P1", "register")
    kiosk.sync()
    other.pull()
    centre.time.pass_minutes(5)
    other.act("P1", "confirm_arrival")  # without a network
    assert undo(centre, kiosk)["patients_put_back"] == 1
    other.sync()
    assert other.last() == (Verdict.NEEDS_STAFF, Code.CORRECTED)
    assert centre.open_cases() == ["corrected"]
    assert centre.journey("P1").state == "UNREGISTERED"


def test_a_visit_that_ends_stays_one_for_staff_after_a_merge(centre: Centre, kiosk: Kiosk, other: Kiosk):
    kiosk.tap("P1")
    kiosk.sync()
    other.pull()
    other.act("P1", "register")  # without a network
    undo(centre, kiosk)
    assert centre.merge("P2", "P1").done
    other.sync()
    assert other.last() == (Verdict.NEEDS_STAFF, Code.CORRECTED)


def test_a_number_printed_at_another_kiosk_meanwhile_keeps_its_place(centre: Centre, kiosk: Kiosk, other: Kiosk):
    """The person has it on paper. The stolen kiosk's number in the same visit is void."""
    other.tap("P1")
    other.act("P1", "register")
    other.sync()
    centre.time.pass_minutes(1)
    other.act("P1", "confirm_arrival")  # without a network
    kiosk.pull()
    kiosk.act("P1", "confirm_arrival")
    kiosk.sync()
    assert undo(centre, kiosk)["patients_put_back"] == 1
    other.sync()
    assert other.last() == (Verdict.APPLIED, Code.OK)
    assert centre.journey("P1").state == "WAITING"
    assert set(entries(centre, "P1")) == {("A-001", "cancelled"), ("B-001", "waiting")}
    current = centre.journey("P1").current
    assert current is not None
    assert current.queue_number == "B-001"
