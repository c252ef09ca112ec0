"""Conflicts about the action itself (cases 9, 10, 12, 15 and 17): sent twice, by older rules, about money."""

from __future__ import annotations

import msgspec

from sync.central.ingest import Ingest
from sync.ids import new_id
from sync.journey.definitions import read
from sync.protocol import Code, PushAnswer, Verdict
from tests.sync.central.two_stores.acts import chained, intent_of, push, rewrite_last, transitions, verdicts
from tests.sync.central.wire import EVERYTHING, Centre, Kiosk


def test_case_9_a_repeat_under_a_new_epoch_is_the_same_action(centre: Centre, kiosk: Kiosk):
    kiosk.check_in("P1")
    kiosk.wire.lose_replies = 1
    kiosk.pusher.run_once()
    kiosk.journeys.start_epoch(7)
    kiosk.sync()
    assert verdicts(kiosk) == [("applied", "ok")] * 3
    assert len(transitions(centre, "P1")) == 3


def test_case_9_a_kiosk_enrolled_anew_sends_what_it_had_and_nothing_counts_twice(centre: Centre, kiosk: Kiosk):
    kiosk.check_in("P1")
    kiosk.wire.lose_replies = 1
    kiosk.pusher.run_once()
    kiosk.tap("P2")
    kiosk.journeys.enrol(centre.enrol("A", EVERYTHING))
    kiosk.connect()
    kiosk.sync()
    assert verdicts(kiosk) == [("applied", "ok")] * 4
    assert len(transitions(centre, "P1")) == 3
    assert kiosk.base("P1") == centre.journey("P1")


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


def test_case_12_rules_that_the_centre_no_longer_judges_by_need_staff(centre: Centre, kiosk: Kiosk):
    kiosk.tap("P1")
    newer = read({**centre.definitions.document, "version": 2})
    centre.ingest = Ingest(centre.store, newer, centre.time, new_id)
    kiosk.sync()
    assert kiosk.last() == (Verdict.NEEDS_STAFF, Code.OLD_RULES)


def test_case_12_older_rules_that_it_still_knows_judge_their_own(centre: Centre, kiosk: Kiosk):
    kiosk.tap("P1")
    newer = read({**centre.definitions.document, "version": 2})
    centre.ingest = Ingest(centre.store, newer, centre.time, new_id, older={1: centre.definitions})
    kiosk.sync()
    assert kiosk.last() == (Verdict.APPLIED, Code.OK)


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


def test_case_17_money_taken_at_two_kiosks_is_for_staff(centre: Centre, kiosk: Kiosk, other: Kiosk):
    kiosk.check_in("P2")
    kiosk.sync()
    for action in ("call_patient", "start_exam", "complete_exam"):
        centre.staff(action, "P2")
    kiosk.pull()
    other.pull()
    kiosk.act("P2", "make_payment")
    other.act("P2", "make_payment")
    kiosk.sync()
    other.sync()
    assert kiosk.last() == (Verdict.APPLIED, Code.OK)
    assert other.last() == (Verdict.NEEDS_STAFF, Code.MONEY)
    assert centre.journey("P2").state == "PAYMENT"


def test_a_patient_who_is_no_more_needs_staff(centre: Centre, kiosk: Kiosk):
    kiosk.tap("P1")
    with kiosk.store.write() as db:
        rewrite_last(db, patient_id="P9")
    kiosk.sync()
    assert kiosk.last() == (Verdict.NEEDS_STAFF, Code.UNKNOWN_PATIENT)


def test_every_verdict_leaves_what_it_was_founded_on(centre: Centre, kiosk: Kiosk, other: Kiosk):
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
