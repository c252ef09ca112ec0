"""Conflicts about the action itself (cases 9, 10, 12, 15 and 17): repeats, older rules, waiting actions, money."""

from __future__ import annotations

import msgspec

from sync.central.records.definitions import SUPPORTED_BEFORE
from sync.ids import new_id
from sync.journey.definitions import read
from sync.protocol import Code, PushAnswer, Verdict
from tests.site_rules import with_added, with_changed, without_the_tap
from tests.sync.central.two_stores.acts import bind_card, chained, intent_of, push, rewrite_last, transitions, verdicts
from tests.sync.central.wire import EVERYTHING, Centre, Kiosk


def test_case_9_a_repeat_under_a_new_epoch_is_the_same_action(centre: Centre, kiosk: Kiosk):
    kiosk.check_in("P1")
    kiosk.wire.lose_replies = 1
    kiosk.pusher.run_once()
    kiosk.ledger.start_epoch(7)
    kiosk.sync()
    assert verdicts(kiosk) == [("applied", "ok")] * 3
    assert len(transitions(centre, "P1")) == 3


def test_case_9_a_kiosk_enrolled_again_sends_its_actions_and_nothing_counts_twice(centre: Centre, kiosk: Kiosk):
    kiosk.check_in("P1")
    kiosk.wire.lose_replies = 1
    kiosk.pusher.run_once()
    kiosk.tap("P2")
    kiosk.ledger.enrol(centre.enrol("A", EVERYTHING))
    kiosk.connect()
    kiosk.sync()
    assert verdicts(kiosk) == [("applied", "ok")] * 4
    assert len(transitions(centre, "P1")) == 3
    assert kiosk.base("P1") == centre.journey("P1")


def test_a_kiosk_enrolled_again_gets_what_staff_decide_about_its_earlier_actions(centre: Centre, kiosk: Kiosk):
    kiosk.check_in_unknown("new")
    kiosk.sync()
    kiosk.ledger.enrol(centre.enrol("A", EVERYTHING))
    kiosk.connect()
    kiosk.sync()
    assert verdicts(kiosk) == [("needs_staff", "unknown_card")]
    assert centre.open_cases() == ["unknown_card"]
    assert centre.settle("reassign", patient_id="P1").done
    kiosk.pull()
    assert verdicts(kiosk) == [("applied", "ok")]


def test_case_10_the_same_id_with_another_content_is_quarantined(centre: Centre, kiosk: Kiosk):
    first, second = intent_of(kiosk, seq=1), intent_of(kiosk, seq=2, patient_id="P2", visit_id=new_id())
    for _ in range(2):
        answer = push(centre, kiosk, chained([first, second]))
        assert isinstance(answer, PushAnswer)
        assert [(row.action_id, row.code) for row in answer.verdicts] == [
            (first.action_id, "ok"),
            (first.action_id, "quarantined"),
        ]
    assert centre.journey("P2").state == "UNREGISTERED"
    assert centre.open_cases() == ["quarantined"]
    case = centre.rows("select action_id, detail from exceptions")[0]
    assert case["action_id"] == first.action_id
    assert msgspec.json.decode(str(case["detail"]))["reason"] == "its id was used for another action"


def raised(centre: Centre, by: int = 1, **changes: object) -> None:
    """The centre starts again with newer definitions."""
    centre.store.close()
    document = {**centre.definitions.document, **changes}
    centre.definitions = read({**document, "version": centre.definitions.version + by})
    centre.open()


def test_case_12_rules_that_the_centre_no_longer_judges_by_need_staff(centre: Centre, kiosk: Kiosk):
    kiosk.tap("P1")
    raised(centre, by=SUPPORTED_BEFORE + 1)
    kiosk.sync()
    assert kiosk.last() == (Verdict.NEEDS_STAFF, Code.OLD_RULES)


def test_case_12_older_rules_still_judge_their_own_actions_after_any_number_of_starts(centre: Centre, kiosk: Kiosk):
    kiosk.tap("P1")
    raised(centre, **without_the_tap(centre.definitions.document))
    raised(centre)
    raised(centre, by=0)
    kiosk.push()
    assert kiosk.last() == (Verdict.APPLIED, Code.OK)
    kiosk.pull()
    kiosk.act("P1", "register")
    kiosk.sync()
    assert kiosk.last() == (Verdict.APPLIED, Code.OK)
    rows = centre.rows("select definitions_version from verdicts order by seq")
    assert [row["definitions_version"] for row in rows] == [1, 3]


def test_case_12_a_waiting_action_is_judged_by_its_own_rules_too(centre: Centre, kiosk: Kiosk):
    kiosk.check_in_unknown("new")
    kiosk.sync()
    raised(centre)
    bind_card(centre, "new", "P3")
    kiosk.sync()
    assert kiosk.last() == (Verdict.APPLIED, Code.OK)


def test_case_12_older_rules_do_not_judge_a_patient_in_a_state_unknown_to_them(centre: Centre, kiosk: Kiosk):
    document = centre.definitions.document
    newer = with_changed(document, "scan_nfc", moves={"UNREGISTERED": "ARRIVED", "TRIAGE": "ARRIVED"})
    newer = with_added(newer, "scan_nfc", name="triage", by=["staff"], moves={"UNREGISTERED": "TRIAGE"}, visit="open")
    raised(centre, journey_states=[*document["journey_states"], "TRIAGE"], actions=newer["actions"])
    assert centre.staff("triage", "P1").done
    kiosk.tap("P1")
    kiosk.tap("P2")
    kiosk.push()
    assert verdicts(kiosk) == [("needs_staff", "old_rules"), ("applied", "ok")]


def test_case_12_rules_that_lead_to_removed_states_do_not_judge(centre: Centre, kiosk: Kiosk):
    document = centre.definitions.document
    newer = with_added(document, "scan_nfc", name="go_on", by=["patient"], moves={"TRIAGE": "ARRIVED"})
    newer = with_added(newer, "scan_nfc", name="triage", by=["patient"], moves={"UNREGISTERED": "TRIAGE"}, visit="open")
    raised(centre, journey_states=[*document["journey_states"], "TRIAGE"], actions=newer["actions"])
    kiosk.pull()
    kiosk.tap("P1")
    raised(centre, journey_states=document["journey_states"], actions=document["actions"])
    kiosk.push()
    assert kiosk.last() == (Verdict.NEEDS_STAFF, Code.OLD_RULES)


def test_case_15_another_visit_does_not_wait(centre: Centre, kiosk: Kiosk):
    done = kiosk.check_in_unknown("new")
    kiosk.check_in("P1")
    kiosk.act(done.patient_id, "register")
    kiosk.sync()
    assert verdicts(kiosk) == [
        ("needs_staff", "unknown_card"),
        ("applied", "ok"),
        ("applied", "ok"),
        ("applied", "ok"),
        ("needs_staff", "depends"),
    ]


def examined(centre: Centre, kiosk: Kiosk, patient_id: str) -> None:
    """Plays a visit up to the payment."""
    kiosk.check_in(patient_id)
    kiosk.sync()
    for action in ("call_patient", "start_exam", "complete_exam"):
        assert centre.staff(action, patient_id).done
    kiosk.pull()


def test_case_17_money_taken_at_two_kiosks_is_for_staff(centre: Centre, kiosk: Kiosk, other: Kiosk):
    examined(centre, kiosk, "P2")
    other.pull()
    kiosk.act("P2", "make_payment", receipt_id="R-1")
    other.act("P2", "make_payment", receipt_id="R-2")
    kiosk.sync()
    other.sync()
    assert kiosk.last() == (Verdict.APPLIED, Code.OK)
    assert other.last() == (Verdict.NEEDS_STAFF, Code.MONEY)
    assert centre.journey("P2").state == "PAYMENT"


def test_case_18_one_receipt_pays_both_steps_of_one_visit_and_no_other_visit(
    centre: Centre, kiosk: Kiosk, other: Kiosk
):
    examined(centre, kiosk, "P1")
    examined(centre, other, "P2")
    for payer, patient_id in ((kiosk, "P1"), (kiosk, "P1"), (other, "P2")):
        assert payer.act(patient_id, "make_payment", receipt_id="R-1").action_ids
        payer.sync()
    assert verdicts(kiosk)[-2:] == [("applied", "ok"), ("applied", "ok")]
    assert other.last() == (Verdict.NEEDS_STAFF, Code.PROOF_USED)
    assert [centre.journey(each).state for each in ("P1", "P2")] == ["FINISHED", "COMPLETED"]
    assert centre.open_cases() == ["proof_used"]


def test_case_18_a_payment_that_a_kiosk_pushes_without_a_receipt_waits_for_staff_who_may_apply_it(
    centre: Centre, kiosk: Kiosk
):
    examined(centre, kiosk, "P2")
    assert kiosk.act("P2", "make_payment", receipt_id="R-1").action_ids
    with kiosk.store.write() as db:
        rewrite_last(db, payload={})
    kiosk.sync()
    assert kiosk.last() == (Verdict.NEEDS_STAFF, Code.PROOF_MISSING)
    assert centre.journey("P2").state == "COMPLETED"
    centre.settle("apply")
    assert centre.journey("P2").state == "PAYMENT"


def test_an_action_of_a_removed_patient_needs_staff_and_is_answered_like_one_of_a_stranger(
    centre: Centre, kiosk: Kiosk
):
    kiosk.tap("P1")
    with kiosk.store.write() as db:
        rewrite_last(db, patient_id="P9")
    kiosk.sync()
    assert kiosk.last() == (Verdict.NEEDS_STAFF, Code.QUARANTINED)
    assert centre.open_cases() == ["not_named"]


def test_every_verdict_is_recorded_with_its_grounds(centre: Centre, kiosk: Kiosk, other: Kiosk):
    kiosk.tap("P1")
    kiosk.sync()
    other.tap("P1")
    other.sync()
    rows = centre.rows(
        "select verdict, conflict, from_state, to_state, definitions_version, counterpart, verdict_id from verdicts"
        " order by recorded_ms, verdict_id"
    )
    first, second = rows
    assert (first["verdict"], first["from_state"], first["to_state"]) == ("applied", "UNREGISTERED", "ARRIVED")
    assert first["counterpart"] is None
    assert (second["verdict"], second["conflict"], second["from_state"]) == ("merged", 1, "ARRIVED")
    assert second["counterpart"] == first["verdict_id"]
    assert second["definitions_version"] == 1
