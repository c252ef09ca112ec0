"""Conflicts that staff cause or settle, between the real stores of both ends: merged records, corrected journeys, other
answers, a restored centre, and cases settled in each way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from kiosk.store import outbox_epochs
from sync.central.kiosks.take_in import take_in
from sync.central.maintenance.backup import back_up
from sync.central.maintenance.health import check
from sync.central.records.journeys import mark_changed
from sync.ids import new_id
from sync.journey.model import PatientId
from sync.protocol import Code, Intent, PullAnswer, PullRequest, PushAnswer, Verdict
from sync.set_aside import read_lines
from tests.sync.central.two_stores.acts import bind_card, chained, push, rewrite_last, verdicts
from tests.sync.central.wire import EVERYTHING, Centre, Kiosk, cards_of


@pytest.fixture(autouse=True)
def well(centre: Centre) -> Iterator[None]:
    yield
    assert_well(centre)


def assert_well(centre: Centre) -> None:
    with centre.store.read() as db:
        health = check(db, centre.definitions)
    assert not health.inconsistent
    assert not health.orphans
    assert not health.illegal_transitions


def assert_in_step(centre: Centre, *kiosks: Kiosk) -> None:
    for kiosk in kiosks:
        kiosk.pull()
        assert kiosk.base("P1") == centre.journey("P1") == kiosk.view("P1")


# Case 2.


def test_case_2_registered_twice_with_other_answers_goes_on_and_staff_have_both(
    centre: Centre, kiosk: Kiosk, other: Kiosk
):
    for each, answers in ((kiosk, {"fasting": "yes"}), (other, {"fasting": "no"})):
        each.tap("P1")
        each.act("P1", "register", answers=answers)
        each.act("P1", "confirm_arrival")
    kiosk.sync()
    other.sync()
    assert verdicts(other) == [("merged", "visit_alias"), ("merged", "answers_differ"), ("merged", "already_so")]
    assert centre.open_cases() == ["answers_differ"]
    detail = msgspec.json.decode(str(centre.rows("select detail from exceptions")[0]["detail"]))
    assert detail["said_before"] == {"answers": {"fasting": "yes"}}
    assert detail["said"] == {"answers": {"fasting": "no"}}
    assert centre.rows("select verdict_id from waiting") == [], "the case holds no waiting action"
    assert_in_step(centre, kiosk, other)
    assert centre.settle("discard", reason="asked them").done
    assert centre.open_cases() == []


# Case 13.


def test_case_13_pending_actions_follow_a_record_that_was_merged(centre: Centre, kiosk: Kiosk, other: Kiosk):
    kiosk.check_in("P2")
    assert centre.merge("P1", "P2").done
    kiosk.sync()
    assert verdicts(kiosk) == [("applied", "ok")] * 3
    assert centre.journey("P1").state == "WAITING"
    assert kiosk.base("P2") is None
    assert kiosk.parts.resolve("P2") == "P1"  # type: ignore[arg-type]
    assert kiosk.parts.patient_of_card(cards_of("P2")) == "P1"
    assert_in_step(centre, kiosk, other)
    assert other.base("P2") is None


def test_case_13_the_kiosk_rewrites_what_it_shows_before_it_has_sent_anything(centre: Centre, kiosk: Kiosk):
    kiosk.tap("P2")
    kiosk.sync()
    kiosk.act("P2", "register")
    centre.merge("P1", "P2")
    kiosk.pull()
    assert kiosk.base("P2") is None
    assert kiosk.view("P1").state == "REGISTERED", "the base of the merged record, with the pending actions on top"
    assert centre.journey("P1").state == "ARRIVED"
    kiosk.act("P1", "confirm_arrival")
    kiosk.push()
    assert verdicts(kiosk) == [("applied", "ok")] * 3
    assert_in_step(centre, kiosk)


def test_case_13_two_live_visits_are_for_staff(centre: Centre, kiosk: Kiosk, other: Kiosk):
    kiosk.check_in("P1")
    kiosk.sync()
    other.check_in("P2")
    other.sync()
    assert centre.merge("P1", "P2").done
    assert centre.open_cases() == ["two_visits"]
    journey = centre.journey("P1")
    assert sorted(entry.queue_number for entry in journey.entries) == ["A-001", "B-001"]
    assert journey.current is not None
    assert journey.current.queue_number == "A-001"
    assert_in_step(centre, kiosk, other)


def test_case_13_later_actions_of_the_visit_that_the_merge_ended_wait_for_staff(
    centre: Centre, kiosk: Kiosk, other: Kiosk
):
    kiosk.check_in("P1")
    kiosk.sync()
    other.tap("P2")
    other.sync()
    other.act("P2", "register")
    centre.merge("P1", "P2")
    other.sync()
    assert other.last() == (Verdict.NEEDS_STAFF, Code.TWO_VISITS)
    assert sorted(centre.open_cases()) == ["two_visits", "two_visits"]
    assert centre.settle("apply", "two_visits").status == 400, "the case of the merge itself holds no waiting action"
    assert centre.settle("discard", "two_visits", reason="seen to").done
    assert centre.settle("apply", "two_visits").status == 409, "the rules refuse it in the patient's state"
    assert centre.settle("discard", "two_visits", reason="registered already").done
    other.pull()
    assert other.last() == (Verdict.SUPERSEDED, Code.DISCARDED)
    assert_in_step(centre, kiosk, other)


def test_case_13_opened_for_both_records_at_two_kiosks_is_one_visit(centre: Centre, kiosk: Kiosk, other: Kiosk):
    kiosk.check_in("P1")
    other.check_in("P2")
    centre.merge("P1", "P2")
    kiosk.sync()
    other.sync()
    assert verdicts(other) == [("merged", "visit_alias"), ("merged", "already_so"), ("merged", "already_so")]
    assert centre.journey("P1").entries[0].label_aliases == ("B-001",)
    assert centre.open_cases() == []
    assert_in_step(centre, kiosk, other)


def test_a_record_is_merged_once_and_never_with_itself(centre: Centre):
    assert centre.merge("P1", "P9").status == 404
    assert centre.merge("P1", "P1").status == 400
    assert centre.merge("P1", "P2").done
    assert centre.merge("P1", "P2").status == 400
    assert centre.merge("P3", "P2").done, "an alias means its patient"
    assert [a.appointment_id for a in centre.journey("P3").appointments] == ["A1", "A3", "A2"]


# Case 14.


def test_case_14_a_correction_by_staff_outweighs_actions_of_a_kiosk_that_had_not_pulled_it(
    centre: Centre, kiosk: Kiosk, other: Kiosk
):
    kiosk.check_in("P1")
    kiosk.sync()
    other.pull()
    for action in ("call_patient", "start_exam"):
        assert centre.staff(action, "P1").done
    other.pull()
    other.act("P1", "complete_exam")
    assert centre.correct("P1", "CALLED", "wrong patient in the room").done
    other.sync()
    assert other.last() == (Verdict.SUPERSEDED, Code.CORRECTED)
    assert centre.journey("P1").state == "CALLED" == other.view("P1").state
    assert other.journeys.patient_status("P1").reversals  # type: ignore[union-attr]
    other.act("P1", "enter_exam_room")
    other.sync()
    assert other.last() == (Verdict.APPLIED, Code.OK), "an action after the pull of the correction counts"
    assert_in_step(centre, kiosk, other)


def test_a_correction_leaves_a_row_with_its_reason_and_is_made_once(centre: Centre, kiosk: Kiosk):
    kiosk.check_in("P1")
    kiosk.sync()
    centre.staff("call_patient", "P1")
    assert centre.correct("P1", "WAITING", "called the wrong one").done
    history = centre.rows("select reason, who from entry_history order by change desc limit 1")
    assert history == [{"reason": "called the wrong one", "who": "desk"}]
    assert centre.correct("P1", "WAITING").status == 400
    assert centre.correct("P9", "WAITING").status == 404


# Case 15.


def test_case_15_dependent_actions_wait_in_the_same_case_and_are_settled_with_it(centre: Centre, kiosk: Kiosk):
    kiosk.check_in("P2")
    centre.staff("cancel_appointment", "P2", exam_id="X")
    kiosk.sync()
    assert verdicts(kiosk) == [("applied", "ok"), ("needs_staff", "cancelled"), ("needs_staff", "depends")]
    assert centre.open_cases() == ["cancelled"]
    assert centre.settle("apply").done
    kiosk.pull()
    assert verdicts(kiosk) == [("applied", "ok")] * 3
    assert centre.open_cases() == []
    assert centre.journey("P2").state == "WAITING" == kiosk.view("P2").state


# Case 16.


def backed_up(centre: Centre, tmp_path: Path) -> Path:
    """Makes a backup now."""
    path = tmp_path / "backup.db"
    back_up(centre.store, path)
    return path


def test_case_16_a_restored_centre_gets_everything_again_and_nothing_counts_twice(
    centre: Centre, kiosk: Kiosk, tmp_path: Path
):
    backup = backed_up(centre, tmp_path)
    kiosk.check_in("P1")
    kiosk.sync()
    before = centre.journey("P1")
    centre.restore(backup)
    assert centre.journey("P1").state == "UNREGISTERED"
    kiosk.pull()
    kiosk.sync()
    assert verdicts(kiosk) == [("applied", "ok")] * 3
    assert centre.journey("P1").state == before.state == "WAITING"
    assert centre.rows("select max(revision) as r from verdicts") == [{"r": 0}]
    assert centre.open_cases() == []


def test_case_16_an_action_that_is_no_longer_done_is_reported_to_kiosk_and_staff(
    centre: Centre, kiosk: Kiosk, other: Kiosk, tmp_path: Path
):
    """After the restore another kiosk pushes first, and staff correct the result."""
    backup = backed_up(centre, tmp_path)
    kiosk.tap("P1")
    kiosk.act("P1", "register")
    kiosk.sync()
    assert verdicts(kiosk) == [("applied", "ok")] * 2
    centre.restore(backup)
    other.pull()
    other.tap("P1")
    other.sync()
    centre.correct("P1", "REGISTERED", "registered by hand")
    kiosk.pull()
    kiosk.sync()
    assert verdicts(kiosk) == [("merged", "visit_alias"), ("superseded", "corrected")]
    rows = centre.rows("select verdict, revision, conflict from verdicts where code = 'corrected'")
    assert rows == [{"verdict": "superseded", "revision": 1, "conflict": 16}]
    assert centre.open_cases() == ["reversed"]
    assert_in_step(centre, kiosk, other)


# Settled cases.


def test_a_verdict_revised_since_a_restore_reaches_a_kiosk_that_has_not_pulled_the_restore(
    centre: Centre, kiosk: Kiosk, tmp_path: Path
):
    """The answer to its push may come after the page that shows the restore (simulation, seed 38163)."""
    backup = backed_up(centre, tmp_path)
    kiosk.check_in_unknown("new")
    centre.restore(backup)
    kiosk.push()
    before = kiosk.journeys.identity
    assert before is not None
    assert centre.settle("reassign", patient_id="P1").done
    request = PullRequest(
        protocol_version=2,
        site_id=before.site_id,
        kiosk_id=before.kiosk_id,
        epoch=1,
        cursor=before.cursor,
        server_incarnation=before.server_incarnation,
        definitions_version=1,
    )
    page = centre.pull(before.kiosk_id, request)
    assert isinstance(page, PullAnswer)
    assert page.server_incarnation != before.server_incarnation
    assert [(row.code, row.revision) for row in page.verdicts] == [("ok", 1)]


def test_a_case_is_reassigned_to_the_right_patient(centre: Centre, kiosk: Kiosk):
    done = kiosk.check_in_unknown("new")
    kiosk.act(done.patient_id, "register")
    kiosk.act(done.patient_id, "confirm_arrival")
    kiosk.sync()
    assert centre.open_cases() == ["unknown_card"]
    assert centre.settle("reassign", patient_id="P9").status == 404
    assert centre.settle("reassign", patient_id="P1").done
    kiosk.pull()
    assert verdicts(kiosk) == [("applied", "ok")] * 3
    assert centre.journey("P1").state == "WAITING"
    assert kiosk.parts.resolve(done.patient_id) == "P1"
    assert kiosk.base(done.patient_id) is None
    assert_in_step(centre, kiosk)


def test_actions_in_a_visit_of_that_patient_are_reassigned_within_the_visit(centre: Centre, kiosk: Kiosk, other: Kiosk):
    other.tap("P1")
    other.sync()
    kiosk.tap("P2")
    kiosk.journeys.act(PatientId("P2"), "register", None, {}, cards_of("P2"))
    assert centre.merge("P1", "P2").done
    bind_card(centre, "P2", "P3")
    kiosk.pusher.limit = 1
    kiosk.pusher.run_once()
    assert centre.settle("apply").done
    kiosk.push()
    centre.time.pass_minutes(24 * 60)
    assert centre.settle("reassign", patient_id="P1").done
    kiosk.pull()
    assert verdicts(kiosk) == [("merged", "visit_alias"), ("applied", "late")]


def test_a_discarded_case_changes_no_patient_and_reaches_the_kiosk(centre: Centre, kiosk: Kiosk):
    kiosk.check_in_unknown("new")
    kiosk.sync()
    assert centre.settle("discard", reason="a child played with it").done
    kiosk.pull()
    assert kiosk.last() == (Verdict.SUPERSEDED, Code.DISCARDED)
    assert centre.open_cases() == []
    settled = centre.rows("select settled_by, settlement from exceptions")[0]
    assert settled["settled_by"] == "desk"
    assert msgspec.json.decode(str(settled["settlement"]))["reason"] == "a child played with it"


def test_an_action_of_unsupported_rules_can_be_applied_by_todays_rules(centre: Centre, kiosk: Kiosk):
    kiosk.tap("P1")
    with kiosk.store.write() as db:
        rewrite_last(db, definitions_version=99)
    kiosk.sync()
    assert kiosk.last() == (Verdict.NEEDS_STAFF, Code.OLD_RULES)
    assert centre.settle("apply").done
    kiosk.pull()
    assert kiosk.last() == (Verdict.APPLIED, Code.OK)
    assert_in_step(centre, kiosk)


# Patients who leave the roster, and a revoked kiosk.


def test_a_patient_who_left_the_roster_is_kept_until_their_actions_have_verdicts(centre: Centre, kiosk: Kiosk):
    kiosk.tap("P1")
    with centre.store.write() as db:
        db.execute("delete from appointments where patient_id = 'P1'")
        mark_changed(db, "P1")
    kiosk.pull()
    assert kiosk.view("P1").state == "ARRIVED", "their action is still shown"
    with centre.store.write() as db:
        db.execute("update kiosks set grants = '[]'")
    kiosk.push()
    assert kiosk.last() == (Verdict.NEEDS_STAFF, Code.FORBIDDEN)
    assert kiosk.base("P1") is None


def test_a_revoked_kiosk_forgets_its_patients_and_keeps_its_unsent_actions(centre: Centre, kiosk: Kiosk):
    kiosk.check_in("P1")
    with centre.store.write() as db:
        db.execute("update kiosks set revoked_ms = 1")
    assert kiosk.puller.run_once().failed
    assert kiosk.journeys.identity is not None
    assert kiosk.journeys.identity.ended_ms is not None
    assert kiosk.base("P1") is None
    assert kiosk.parts.patient_of_card(cards_of("P1")) is None
    assert kiosk.parts.pending() == 3
    assert kiosk.pusher.run_once().touched == frozenset(), "once is enough"
    kiosk.ledger.enrol(centre.enrol("D", EVERYTHING))
    kiosk.connect()
    assert kiosk.journeys.identity.ended_ms is None
    kiosk.sync()
    assert verdicts(kiosk) == [("applied", "ok")] * 3
    assert_in_step(centre, kiosk)


def test_a_discarded_action_with_the_id_of_another_reaches_its_kiosk(centre: Centre, kiosk: Kiosk, other: Kiosk):
    other.tap("P2")
    other.sync()
    kiosk.tap("P1")
    used = str(centre.rows("select action_id from actions")[0]["action_id"])
    with kiosk.store.write() as db:
        rewrite_last(db, action_id=used)
    kiosk.sync()
    assert verdicts(kiosk) == [("needs_staff", "quarantined")]
    with centre.store.read() as db:
        before = db.latest_change()
    assert centre.settle("discard", reason="a broken disk").done
    assert centre.store.news.latest > before, "it wakes the pulls that wait"
    kiosk.sync()
    other.sync()
    assert verdicts(kiosk) == [("superseded", "discarded")]
    assert verdicts(other) == [("applied", "ok")], "the action that had the id first stays"


def test_a_verdict_without_a_patient_wakes_the_kiosk_that_waits_for_it(centre: Centre, kiosk: Kiosk):
    kiosk.check_in_unknown("new")
    kiosk.sync()
    with centre.store.read() as db:
        before = db.latest_change()
    assert centre.settle("discard", reason="gone").done
    assert centre.store.news.latest > before


def test_a_kiosk_enrolled_again_gets_the_verdicts_of_the_actions_that_it_sent_again(centre: Centre, kiosk: Kiosk):
    kiosk.check_in_unknown("new")
    kiosk.wire.lose_replies = 1
    kiosk.pusher.run_once()
    kiosk.tap("P1")
    kiosk.ledger.enrol(centre.enrol("C", EVERYTHING))
    kiosk.connect()
    kiosk.sync()
    assert verdicts(kiosk) == [("needs_staff", "unknown_card"), ("applied", "ok")]
    assert centre.settle("discard", reason="gone").done
    kiosk.sync()
    assert verdicts(kiosk) == [("superseded", "discarded"), ("applied", "ok")]
    (told,) = centre.pull(
        kiosk.wire.kiosk_id,
        PullRequest(protocol_version=2, site_id=centre.site_id, kiosk_id=kiosk.wire.kiosk_id, epoch=1, cursor=0),
    ).verdicts
    assert told.seq == 1


def test_a_kiosk_enrolled_again_may_send_a_waiting_action_again_to_get_its_verdict(centre: Centre, kiosk: Kiosk):
    kiosk.check_in_unknown("new")
    kiosk.sync()
    with kiosk.store.write() as db:
        outbox_epochs.reopen(db)
    kiosk.ledger.enrol(centre.enrol("C", EVERYTHING))
    kiosk.connect()
    kiosk.sync()
    assert verdicts(kiosk) == [("needs_staff", "unknown_card")]
    assert centre.open_cases() == ["unknown_card"]
    assert centre.settle("discard", reason="gone").done
    kiosk.sync()
    assert verdicts(kiosk) == [("superseded", "discarded")]


@pytest.mark.parametrize("more", [2, 12], ids=["one by one", "as a set"])
@pytest.mark.parametrize(("calls_on", "first"), [(False, "depends"), (True, "unknown_card")])
def test_who_repeats_a_waiting_action_has_a_part_in_its_case_where_its_kiosk_calls_no_more(
    tmp_path: Path, centre: Centre, kiosk: Kiosk, calls_on: bool, first: str, more: int
):
    kiosk.check_in_unknown("new")
    kiosk.sync()
    other = Kiosk(tmp_path / "other.db", centre, "B", EVERYTHING)
    other.pull()
    if calls_on:
        centre.time.pass_minutes(2)
        kiosk.pull()
    codes = repeat_and_go_on(centre, other, more)
    assert codes == ["unknown_card", first, *["depends"] * (more - 1)]
    assert len(centre.open_cases()) == (2 if calls_on else 1)


def test_a_kiosk_that_a_restore_lost_goes_on_in_the_case_of_its_file(tmp_path: Path, centre: Centre):
    backup, aside = tmp_path / "backup.db", tmp_path / "aside.jsonl"
    back_up(centre.store, backup)
    lost = Kiosk(tmp_path / "lost.db", centre, "L", EVERYTHING)
    lost.pull()
    lost.check_in_unknown("new")
    assert lost.ledger.set_aside(aside)
    centre.restore(backup)
    with centre.store.write() as db:
        take_in(db, centre.parts, read_lines(aside.read_bytes().splitlines(keepends=True)).actions)
    centre.enrol("A")  # its id is that of the lost one
    again = Kiosk(tmp_path / "again.db", centre, "B", EVERYTHING)
    again.pull()
    assert again.wire.kiosk_id != lost.wire.kiosk_id
    assert repeat_and_go_on(centre, again, 1) == ["unknown_card", "depends"]
    assert centre.open_cases() == ["unknown_card"]


def repeat_and_go_on(centre: Centre, kiosk: Kiosk, more: int) -> list[str]:
    """Pushes the one waiting action again, and more of its visit. Returns the codes of the verdicts."""
    (said,) = centre.rows("select intent from waiting")
    repeated = msgspec.json.decode(str(said["intent"]), type=Intent)
    again = msgspec.structs.replace(repeated, kiosk_id=kiosk.wire.kiosk_id, seq=1)
    own = [
        msgspec.structs.replace(again, seq=seq, action_id=new_id(), action_type="register")
        for seq in range(2, 2 + more)
    ]
    answer = push(centre, kiosk, chained([again, *own]))
    assert isinstance(answer, PushAnswer)
    return [row.code for row in answer.verdicts]
