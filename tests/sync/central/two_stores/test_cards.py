"""Conflicts about cards (cases 7 and 8): the holder changes before the centre receives the action."""

from __future__ import annotations

import msgspec
import pytest

from sync.cards import CardKey, CardKeys
from sync.protocol import Code, Verdict
from tests.sync.central.two_stores.acts import bind_card, give_card, rewrite_last, verdicts
from tests.sync.central.wire import KEYS, Centre, Kiosk, cards_of


def test_case_7_a_card_re_issued_meanwhile_changes_neither_patient(centre: Centre, kiosk: Kiosk):
    kiosk.check_in("P2")
    give_card(centre, "P2", "P3")
    kiosk.push()
    assert verdicts(kiosk) == [("needs_staff", "rebound"), ("needs_staff", "depends"), ("needs_staff", "depends")]
    assert centre.journey("P2").state == centre.journey("P3").state == "UNREGISTERED"
    assert kiosk.parts.patient_of_card(cards_of("P2")) is None
    assert centre.open_cases() == ["rebound"], "actions that depend on it wait in the same case"


def test_case_8_a_card_that_only_the_centre_knows_finds_its_patient(centre: Centre, kiosk: Kiosk):
    assert kiosk.tap("P3") is None
    done = kiosk.check_in_unknown("P3")
    kiosk.act(done.patient_id, "register")
    kiosk.act(done.patient_id, "confirm_arrival")
    kiosk.sync()
    assert verdicts(kiosk) == [("applied", "ok")] * 3
    assert centre.journey("P3").state == "WAITING"
    assert kiosk.base("P3") == centre.journey("P3")
    assert kiosk.base(done.patient_id) is None


def test_case_8_actions_of_an_unknown_card_are_judged_once_staff_have_bound_it(centre: Centre, kiosk: Kiosk):
    done = kiosk.check_in_unknown("new")
    kiosk.act(done.patient_id, "register")
    kiosk.act(done.patient_id, "confirm_arrival")
    kiosk.sync()
    assert verdicts(kiosk) == [("needs_staff", "unknown_card")] + [("needs_staff", "depends")] * 2
    assert centre.rows("select count(*) as n from waiting") == [{"n": 3}]
    bind_card(centre, "new", "P3")
    kiosk.pull()
    assert verdicts(kiosk) == [("applied", "ok")] * 3
    assert centre.journey("P3").state == "WAITING" == kiosk.view("P3").state
    assert kiosk.base("P3") == centre.journey("P3")
    assert kiosk.parts.patient_of_card(cards_of("new")) == "P3"
    assert centre.open_cases() == []
    assert centre.rows("select count(*) as n from waiting") == [{"n": 0}]
    settled = centre.rows("select settled_by, settlement from exceptions order by opened_ms, exception_id")[0]
    assert settled["settled_by"] == "desk"
    assert msgspec.json.decode(str(settled["settlement"]))["verdict"] == "applied"


def test_case_8_a_revised_verdict_survives_a_lost_answer_to_the_first(centre: Centre, kiosk: Kiosk):
    kiosk.check_in_unknown("new")
    kiosk.wire.lose_replies = 1
    assert kiosk.pusher.run_once().failed
    bind_card(centre, "new", "P3")
    kiosk.sync()
    assert verdicts(kiosk) == [("applied", "ok")]
    assert kiosk.base("P3") == centre.journey("P3")


def test_case_8_an_action_that_needs_staff_for_another_reason_is_a_new_case(centre: Centre, kiosk: Kiosk):
    done = kiosk.check_in_unknown("new")
    kiosk.act(done.patient_id, "register")
    kiosk.sync()
    centre.staff("scan_nfc", "P3")
    centre.staff("register", "P3")
    with centre.store.write() as db:
        db.execute("update kiosks set grants = '[\"scan_nfc\"]'")
    bind_card(centre, "new", "P3")
    kiosk.pull()
    assert verdicts(kiosk) == [("merged", "visit_alias"), ("needs_staff", "forbidden")]
    assert centre.open_cases() == ["forbidden"]


@pytest.mark.one_database
def test_case_8_a_revoked_kiosk_is_granted_nothing_later(centre: Centre, kiosk: Kiosk):
    kiosk.check_in_unknown("new")
    kiosk.sync()
    with centre.store.write() as db:
        db.execute("pragma defer_foreign_keys = on")
        db.execute("update waiting set kiosk_id = 'gone'")
        db.execute("update verdicts set kiosk_id = 'gone'")
    bind_card(centre, "new", "P3")
    assert centre.open_cases() == ["forbidden"]


def test_case_8_an_action_that_cannot_be_judged_keeps_its_case_and_does_not_hinder_staff(
    centre: Centre, kiosk: Kiosk, other: Kiosk
):
    """Its visit gets the id of another patient's visit while it waits. The card is bound all the same."""
    kiosk.check_in_unknown("new")
    kiosk.sync()
    with kiosk.store.read() as db:
        (visit_id,) = db.execute("select visit_id from outbox").fetchone()
    other.tap("P1")
    with other.store.write() as db:
        rewrite_last(db, visit_id=visit_id)
    other.sync()
    assert other.last() == (Verdict.APPLIED, Code.OK)
    bind_card(centre, "new", "P3")
    kiosk.pull()
    assert kiosk.last() == (Verdict.NEEDS_STAFF, Code.UNKNOWN_CARD)
    assert centre.open_cases() == ["unknown_card"]
    assert centre.rows("select count(*) as n from waiting") == [{"n": 1}]
    assert centre.journey("P3").state == "UNREGISTERED"


def test_a_binding_that_the_centre_does_not_know_is_no_conflict(centre: Centre, kiosk: Kiosk):
    kiosk.tap("P1")
    with kiosk.store.write() as db:
        rewrite_last(db, binding_id="never")
    kiosk.sync()
    assert kiosk.last() == (Verdict.APPLIED, Code.OK)


def test_nothing_is_learnt_from_the_card_that_a_kiosk_names(centre: Centre, kiosk: Kiosk):
    """A kiosk says that P1 was there with a card that is nobody's. The card stays nobody's."""
    before = centre.rows("select * from binding_hashes")
    kiosk.journeys.tap(cards_of("P1", CardKeys((*KEYS.keys, CardKey("k2", "22" * 32)))), ["scan_nfc"])
    kiosk.sync()
    assert kiosk.last() == (Verdict.APPLIED, Code.OK)
    assert centre.rows("select * from binding_hashes") == before


def test_a_check_in_of_one_patient_with_the_card_of_another_is_for_staff(centre: Centre, kiosk: Kiosk):
    kiosk.tap("P1")
    with kiosk.store.write() as db:
        rewrite_last(db, card=cards_of("P3")[0])
    kiosk.sync()
    assert kiosk.last() == (Verdict.NEEDS_STAFF, Code.REBOUND)
    assert centre.journey("P1").state == centre.journey("P3").state == "UNREGISTERED"
