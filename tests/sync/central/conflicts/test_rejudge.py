"""Actions that wait for staff are judged again: once their card is bound, and when their case is settled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from sync.central.conflicts.evidence import ReceivedAction
from sync.central.conflicts.gather import JudgingContext
from sync.central.conflicts.judge import Judgement
from sync.central.conflicts.rejudge import apply_case, discard_case, discard_verdict, reassign_case, rejudge_card
from sync.central.records.bindings import bind
from sync.central.records.idempotency import StoredAnswer, store_answer
from sync.central.records.told_seqs import Window
from sync.central.records.verdicts import latest_verdict
from sync.central.records.visits import add_visit_alias
from sync.central.records.waiting import WaitingAction, waiting_of_case
from sync.central.store.errors import StaleJourney
from sync.central.store.transactions import WriteTransaction
from sync.ids import new_id
from sync.journey.definitions import read, shipped
from sync.journey.model import PatientId, VisitId
from sync.protocol import Code, Intent, Verdict
from tests.site_rules import with_changed
from tests.sync.central.conflicts.pushed import clock_of, context_of, judged, received
from tests.sync.central.databases import Database
from tests.sync.central.wire import BY_STAFF, MINUTE, Centre, cards_of

NEW = cards_of("new")
TO_LEAVE = (
    "register",
    "confirm_arrival",
    "call_patient",
    "start_exam",
    "complete_exam",
    "make_payment",
    "make_payment",
    "leave_hospital",
)
Settle = Callable[[WriteTransaction, JudgingContext, list[WaitingAction]], list[Judgement] | None]


@pytest.fixture
def kiosk_id(centre: Centre) -> str:
    """A kiosk with every grant."""
    return centre.enrol("A", ("scan_nfc", "register", "confirm_arrival", "leave_hospital")).kiosk_id


def unknown(centre: Centre, action_type: str, kiosk_id: str, **changes: Any) -> ReceivedAction:
    """An action of the holder of a card that nobody knows."""
    fields = {"card": NEW[0], "provisional": True, "kiosk_id": kiosk_id}
    return received(centre, action_type, "card-1", **(fields | changes))


def pushed(centre: Centre, action: ReceivedAction) -> ReceivedAction:
    """An action that was judged, and whose answer is stored."""
    record = judged(centre, action).record
    intent = action.intent
    answer = StoredAnswer("hash", record.verdict.value, None)
    with centre.store.write() as db:
        store_answer(db, intent.action_id, record.patient_id, intent.action_type, "K", answer, centre.time())
    return action


def bound(centre: Centre, patient_id: str = "P3") -> list[tuple[str, str]]:
    """Staff bind the new card, and the actions that waited for it are judged again: their verdicts."""
    context = context_of(centre)
    with centre.store.write() as db:
        bind(db, patient_id, NEW, new_id(), centre.time(), BY_STAFF)
        return told(rejudge_card(db, context, NEW, "desk"))


def told(judgements: list[Judgement] | None) -> list[tuple[str, str]]:
    assert judgements is not None
    return [(each.record.verdict.value, each.record.code.value) for each in judgements]


def settled(centre: Centre, settle: Settle, code: str) -> list[Judgement] | None:
    """Staff settle the case with this code."""
    (case,) = centre.rows("select exception_id from exceptions where code = :code", code=code)
    context = context_of(centre)
    with centre.store.write() as db:
        return settle(db, context, waiting_of_case(db, str(case["exception_id"])))


def reassigned(
    centre: Centre, patient_id: str, visit_id: str = "another visit", code: str = "unknown_card"
) -> list[Judgement]:
    def to_patient(db: WriteTransaction, context: JudgingContext, actions: list[WaitingAction]) -> list[Judgement]:
        return reassign_case(db, context, actions, PatientId(patient_id), VisitId(visit_id))

    found = settled(centre, to_patient, code)
    assert found is not None
    return found


def waiting(centre: Centre) -> list[object]:
    return [row["verdict_id"] for row in centre.rows("select verdict_id from waiting order by seq")]


def outcomes(centre: Centre) -> list[tuple[object, object]]:
    """Outcome and patient of every stored answer, by the type of the action."""
    return [
        (row["outcome"], row["patient_id"])
        for row in centre.rows("select outcome, patient_id from actions order by action_type desc")
    ]


# A card that staff have bound.


def test_once_their_card_is_bound_the_actions_of_the_visit_are_judged_in_the_order_of_receipt(
    centre: Centre, kiosk_id: str
):
    for seq, action in enumerate(("scan_nfc", "register", "confirm_arrival"), 1):
        pushed(centre, unknown(centre, action, kiosk_id, seq=seq, card=NEW[0] if seq == 1 else None))
    centre.time.pass_minutes(1)
    assert bound(centre) == [("applied", "ok")] * 3
    assert centre.journey("P3").state == "WAITING"
    assert (waiting(centre), centre.open_cases()) == ([], [])
    (case,) = centre.rows("select settled_ms, settled_by, settlement from exceptions")
    assert (case["settled_ms"], case["settled_by"]) == (centre.time(), "desk")
    assert msgspec.json.decode(str(case["settlement"])) == {"verdict": "applied", "code": "ok", "revision": 1}
    assert outcomes(centre) == [("applied", "P3")] * 3


def test_a_verdict_that_is_given_again_is_the_next_revision_at_the_present_time(centre: Centre, kiosk_id: str):
    action = pushed(centre, unknown(centre, "scan_nfc", kiosk_id, seq=7))
    centre.time.pass_minutes(5)
    bound(centre)
    with centre.store.read() as db:
        record = latest_verdict(db, action.intent.action_id)
    assert record is not None
    assert (record.revision, record.seq, record.kiosk_id, record.change > 0) == (1, 7, kiosk_id, True)
    (row,) = centre.rows("select happened_ms, recorded_ms from transitions")
    assert row == {"happened_ms": centre.time() - 5 * MINUTE, "recorded_ms": centre.time()}


def test_a_verdict_that_is_given_again_keeps_the_window_of_the_action(centre: Centre, kiosk_id: str):
    """The kiosk claims half an hour. It had told the centre a minute ago that there was no such action yet."""
    earliest = centre.time() - MINUTE
    early = clock_of(centre, ahead_ms=-30 * MINUTE)
    pushed(centre, unknown(centre, "scan_nfc", kiosk_id, clock=early, window=Window(earliest, None)))
    bound(centre)
    assert centre.rows("select happened_ms from transitions") == [{"happened_ms": earliest}]


def test_an_action_of_the_same_card_that_waits_for_another_reason_stays(centre: Centre, kiosk_id: str):
    forbidden = replace(unknown(centre, "register", kiosk_id, visit_id="other"), grants=())
    pushed(centre, forbidden)
    assert bound(centre) == []
    assert centre.open_cases() == ["forbidden"]


def test_an_action_that_needs_staff_for_another_reason_by_now_gets_a_new_case(centre: Centre, kiosk_id: str):
    pushed(centre, unknown(centre, "leave_hospital", kiosk_id, visit_id="never opened"))
    assert bound(centre) == [("needs_staff", "not_allowed")]
    assert centre.open_cases() == ["not_allowed"]
    assert outcomes(centre) == [("needs_staff", "P3")]


def test_an_action_that_cannot_be_judged_stays_in_its_case_and_holds_back_no_other(
    centre: Centre, kiosk_id: str, caplog: pytest.LogCaptureFixture
):
    """Its visit has the id of another patient's visit."""
    pushed(centre, received(centre))
    broken = pushed(centre, unknown(centre, "scan_nfc", kiosk_id))
    pushed(centre, unknown(centre, "scan_nfc", kiosk_id, visit_id="good", seq=2))
    assert bound(centre) == [("applied", "ok")]
    assert waiting(centre) == [broken.intent.action_id]
    assert centre.open_cases() == ["unknown_card"]
    assert centre.journey("P3").visit_id == "good"
    assert caplog.messages == [f"action {broken.intent.action_id} cannot be judged again: IntegrityError"]


def test_a_journey_that_changed_underneath_decides_nothing(centre: Centre, database: Database, kiosk_id: str):
    pushed(centre, unknown(centre, "scan_nfc", kiosk_id))
    with centre.store.write() as db:
        database.ignore_updates(db, "journeys")
    with pytest.raises(StaleJourney):
        bound(centre)
    assert centre.open_cases() == ["unknown_card"]


def test_the_grants_are_those_that_the_kiosk_has_now(centre: Centre, kiosk_id: str):
    pushed(centre, unknown(centre, "scan_nfc", kiosk_id))
    with centre.store.write() as db:
        db.execute("update kiosks set grants = '[\"register\"]'")
    assert bound(centre) == [("needs_staff", "forbidden")]


def test_a_kiosk_that_is_gone_is_granted_nothing(centre: Centre):
    pushed(centre, unknown(centre, "scan_nfc", "gone"))
    assert bound(centre) == [("needs_staff", "forbidden")]


# "Apply".


def test_staff_apply_the_actions_of_a_case_one_on_top_of_the_other(centre: Centre, kiosk_id: str):
    for seq, action in enumerate(("scan_nfc", "register"), 1):
        pushed(centre, received(centre, action, kiosk_id=kiosk_id, seq=seq, definitions_version=99))
    (first, second) = [row["exception_id"] for row in centre.rows("select exception_id from exceptions")]
    with centre.store.write() as db:
        db.execute("update waiting set exception_id = :first", {"first": first})
        db.execute("delete from exceptions where exception_id = :second", {"second": second})
    assert told(settled(centre, apply_case, "old_rules")) == [("applied", "ok")] * 2
    assert (centre.journey("P1").state, waiting(centre)) == ("REGISTERED", [])
    assert outcomes(centre) == [("applied", "P1")] * 2


def test_nothing_is_written_where_the_rules_refuse_the_first_action_of_the_case(centre: Centre, kiosk_id: str):
    action = pushed(centre, received(centre, "confirm_arrival", kiosk_id=kiosk_id))
    before = centre.rows("select * from verdicts")
    assert settled(centre, apply_case, "not_allowed") is None
    assert (waiting(centre), centre.rows("select * from verdicts")) == ([action.intent.action_id], before)


def test_a_later_action_of_the_case_that_the_rules_refuse_is_judged_as_any_other(centre: Centre, kiosk_id: str):
    pushed(centre, received(centre, kiosk_id=kiosk_id, seq=1, grants=()))
    pushed(centre, received(centre, "confirm_arrival", kiosk_id=kiosk_id, seq=2))
    assert told(settled(centre, apply_case, "forbidden")) == [("applied", "ok"), ("needs_staff", "not_allowed")]
    assert centre.open_cases() == ["forbidden", "not_allowed"], "the desk closes the case that it settles"


def test_staff_apply_an_action_by_the_rules_that_the_kiosk_judged_by(centre: Centre, kiosk_id: str):
    """The centre's own rules would refuse it by now."""
    centre.store.close()
    centre.definitions = read(with_changed({**shipped().document, "version": 2}, "register", never_in=["ARRIVED"]))
    centre.open()
    judged(centre, received(centre, kiosk_id=kiosk_id))
    older = {"definitions_version": shipped().version, "journey_state": "ARRIVED"}
    pushed(centre, received(centre, "register", kiosk_id=kiosk_id, grants=(), **older))
    assert told(settled(centre, apply_case, "forbidden")) == [("applied", "ok")]
    assert centre.journey("P1").state == "REGISTERED"


# "Discard".


def test_staff_discard_the_actions_of_a_case(centre: Centre, kiosk_id: str):
    for seq, action in enumerate(("scan_nfc", "register"), 1):
        pushed(centre, unknown(centre, action, kiosk_id, seq=seq))
    assert told(settled(centre, discard_case, "unknown_card")) == [("superseded", "discarded")] * 2
    assert (waiting(centre), outcomes(centre)) == ([], [("superseded", None)] * 2)
    assert centre.journey("P3").state == "UNREGISTERED"


def test_a_quarantined_action_is_discarded_without_being_judged(centre: Centre, kiosk_id: str):
    action = pushed(centre, unknown(centre, "scan_nfc", kiosk_id, seq=7))
    with centre.store.write() as db:
        db.execute("update verdicts set code = 'quarantined'")
        before = db.latest_change()
    assert settled(centre, discard_case, "unknown_card") == []
    with centre.store.read() as db:
        record = latest_verdict(db, action.intent.action_id)
    assert record is not None
    assert (record.verdict, record.code, record.revision) == (Verdict.SUPERSEDED, Code.DISCARDED, 1)
    assert (record.seq, record.kiosk_id, record.change) == (7, kiosk_id, before + 1)
    assert (waiting(centre), outcomes(centre)) == ([], [("superseded", None)])


def test_a_body_that_was_never_judged_is_discarded_as_the_next_revision(centre: Centre, kiosk_id: str):
    action = pushed(centre, unknown(centre, "scan_nfc", kiosk_id))
    centre.time.pass_minutes(1)
    with centre.store.write() as db:
        discard_verdict(db, action.intent.action_id, centre.time())
    rows = centre.rows("select revision, verdict, recorded_ms from verdicts order by revision")
    assert [row["verdict"] for row in rows] == ["needs_staff", "superseded"]
    assert rows[1]["recorded_ms"] == centre.time()
    assert outcomes(centre) == [("superseded", None)]


# "Reassign".


def test_an_action_is_reassigned_with_a_visit_of_the_right_patient(centre: Centre, kiosk_id: str):
    pushed(centre, unknown(centre, "scan_nfc", kiosk_id, base_version=1000))
    assert told(reassigned(centre, "P3")) == [("applied", "ok")]
    assert centre.journey("P3").visit_id == "another visit"
    (alias,) = centre.rows("select alias_id, patient_id, since_ms from patient_aliases")
    assert alias == {"alias_id": "card-1", "patient_id": "P3", "since_ms": centre.time()}
    assert outcomes(centre) == [("applied", "P3")]


def test_an_action_of_a_visit_of_the_right_patient_keeps_its_visit(centre: Centre, kiosk_id: str):
    judged(centre, received(centre))
    with centre.store.write() as db:
        add_visit_alias(db, "alias", "visit", centre.time())
    pushed(centre, unknown(centre, "register", kiosk_id, visit_id="alias", journey_state="ARRIVED"))
    assert told(reassigned(centre, "P1")) == [("applied", "ok")]
    assert centre.journey("P1").state == "REGISTERED"


def test_the_version_that_the_kiosk_knew_was_not_of_the_right_patient(centre: Centre, kiosk_id: str):
    """Every visit of that patient is one that the kiosk cannot have seen, from the first version on."""
    pushed(centre, unknown(centre, "scan_nfc", kiosk_id, base_version=1000))
    assert centre.staff("scan_nfc", "P3").done
    visit_id = centre.journey("P3").visit_id
    assert centre.rows("select opened_version from visits") == [{"opened_version": 1}]
    for action in TO_LEAVE:
        assert centre.staff(action, "P3").done
    (judgement,) = reassigned(centre, "P3")
    assert (judgement.record.code, judgement.record.visit_id) == (Code.VISIT_ALIAS, visit_id)


def test_an_action_that_waits_again_after_it_was_reassigned_is_the_new_patients(centre: Centre, kiosk_id: str):
    pushed(centre, unknown(centre, "confirm_arrival", kiosk_id, binding_id="b", base_version=7))
    assert told(reassigned(centre, "P3")) == [("needs_staff", "not_allowed")]
    (row,) = centre.rows("select intent from waiting")
    intent = msgspec.json.decode(str(row["intent"]), type=Intent)
    assert (intent.patient_id, intent.provisional, intent.visit_id) == ("P3", False, "another visit")
    assert (intent.card, intent.binding_id, intent.base_version) == (None, None, 0)
    reassigned(centre, "P2", code="not_allowed")
    assert centre.rows("select alias_id, patient_id from patient_aliases") == [
        {"alias_id": "card-1", "patient_id": "P3"}
    ], "P3 is no other name of P2"


def test_the_card_and_the_binding_of_another_person_are_no_conflict_once_an_action_is_reassigned(
    centre: Centre, kiosk_id: str
):
    (binding,) = centre.rows("select binding_id from bindings where patient_id = 'P2'")
    held = {"card": cards_of("P2")[0], "binding_id": binding["binding_id"]}
    action = received(centre, kiosk_id=kiosk_id, **held)
    assert judged(centre, action).record.code is Code.REBOUND
    assert told(reassigned(centre, "P3", code="rebound")) == [("applied", "ok")]
    assert (centre.journey("P3").state, centre.journey("P1").state) == ("ARRIVED", "UNREGISTERED")
    assert centre.rows("select * from patient_aliases") == [], "P1 is the hospital's own name of another patient"


def test_actions_of_a_case_are_reassigned_in_their_order(centre: Centre, kiosk_id: str):
    for seq, action in enumerate(("scan_nfc", "register", "confirm_arrival"), 1):
        pushed(centre, unknown(centre, action, kiosk_id, seq=seq))
    assert told(reassigned(centre, "P3")) == [("applied", "ok")] * 3
    assert centre.journey("P3").state == "WAITING"
