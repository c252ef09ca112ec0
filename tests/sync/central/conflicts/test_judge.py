"""The rows that a judgement writes: journey, history, number, proof, case and verdict."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from sync.central.conflicts.evidence import ReceivedAction
from sync.central.records.verdicts import VerdictRecord, latest_verdict
from sync.journey.model import VisitId
from sync.protocol import Code, PriorVerdict, Verdict
from tests.sync.central.conflicts.pushed import clock_of, judged, received
from tests.sync.central.wire import DAY, MINUTE, Centre, cards_of

NEXT_DAY = "2026-03-03"
RECEIPT = {"receipt_id": "R-1"}
TO_PAYMENT = ("register", "confirm_arrival", "call_patient", "start_exam", "complete_exam")


def tomorrow(centre: Centre) -> None:
    centre.time.pass_minutes(24 * 60)


def claimed(centre: Centre, ago_ms: int) -> dict[str, Any]:
    """The clock of an action whose time cannot be trusted."""
    return {"clock": clock_of(centre, synchronised=False, boot="before", ahead_ms=-ago_ms)}


def registered(centre: Centre, patient_id: str = "P1", visit_id: str = "visit", kiosk_id: str = "K") -> None:
    """A patient has come and registered by a kiosk."""
    judged(centre, received(centre, "scan_nfc", patient_id, visit_id=visit_id, kiosk_id=kiosk_id))
    judged(centre, received(centre, "register", patient_id, visit_id=visit_id, kiosk_id=kiosk_id))


def arrives(centre: Centre, patient_id: str = "P1", visit_id: str = "visit", **changes: Any) -> VerdictRecord:
    """The verdict on a confirmed arrival with a printed number."""
    fields = {"journey_state": "REGISTERED", "queue_number": "A-001", "queue_id": f"entry of {patient_id}"}
    action = received(centre, "confirm_arrival", patient_id, visit_id=visit_id, **(fields | changes))
    return judged(centre, action).record


def only(centre: Centre, sql: str, **parameters: object) -> dict[str, Any]:
    """The one row of a query."""
    (row,) = centre.rows(sql, **parameters)
    return row


def detail_of(centre: Centre, code: str) -> dict[str, Any]:
    """The detail of the one case with a code."""
    decoded = msgspec.json.decode(only(centre, "select detail from exceptions where code = :code", code=code)["detail"])
    assert isinstance(decoded, dict)
    return decoded


# History and verdict.


def test_the_history_says_where_an_action_came_from_and_when_it_happened(centre: Centre):
    action = received(centre, epoch=3, seq=7, binding_id="b", queue_number="A-009", payload={"answer": "yes"})
    centre.time.pass_minutes(2)
    action = replace(action, sent=clock_of(centre), received_ms=centre.time())
    judged(centre, action)
    row = only(centre, "select * from transitions")
    assert (row["source"], row["action_id"], row["time_quality"]) == ("K", action.intent.action_id, "measured")
    assert (row["happened_ms"], row["recorded_ms"]) == (centre.time() - 2 * MINUTE, centre.time())
    assert msgspec.json.decode(row["metadata"]) == {
        "epoch": 3,
        "seq": 7,
        "binding_id": "b",
        "queue_number": "A-009",
        "payload": {"answer": "yes"},
    }


def test_the_history_of_the_queue_names_the_kiosk(centre: Centre):
    registered(centre)
    arrives(centre)
    assert only(centre, "select who, new from entry_history") == {"who": "K", "new": "waiting"}


def test_the_verdict_has_its_grounds(centre: Centre):
    made = judged(centre, received(centre, seq=7))
    record = made.record
    assert (record.kiosk_id, record.seq, record.verdict, record.code) == ("K", 7, Verdict.APPLIED, Code.OK)
    assert (record.patient_id, record.visit_id, record.revision, record.change) == ("P1", "visit", 0, 0)
    assert (record.from_state, record.to_state, record.conflict) == ("UNREGISTERED", "ARRIVED", 0)
    assert record.changed_version == centre.journey("P1").journey_version
    assert (record.definitions_version, record.counterpart) == (centre.definitions.version, None)
    assert made.journey == centre.journey("P1")
    with centre.store.read() as db:
        assert latest_verdict(db, record.verdict_id) == record


def test_an_action_that_changes_nothing_has_no_version_and_names_the_action_before_it(centre: Centre):
    first = judged(centre, received(centre)).record
    again = judged(centre, received(centre, kiosk_id="L")).record
    assert (again.verdict, again.changed_version, again.counterpart) == (Verdict.MERGED, None, first.verdict_id)


def test_an_action_that_waits_for_staff_names_no_other_action(centre: Centre):
    judged(centre, received(centre))
    waiting = judged(centre, received(centre, "leave_hospital", journey_state="ARRIVED")).record
    assert (waiting.verdict, waiting.visit_id, waiting.counterpart) == (Verdict.NEEDS_STAFF, "visit", None)


def test_an_applied_action_names_no_other_action(centre: Centre):
    judged(centre, received(centre))
    assert judged(centre, received(centre, "register", journey_state="ARRIVED")).record.counterpart is None


def test_a_superseded_action_of_an_unknown_visit_names_no_other_action(centre: Centre):
    prior = PriorVerdict(Verdict.APPLIED, Code.OK, 2)
    record = judged(centre, received(centre, "register", visit_id="never", prior_verdict=prior)).record
    assert (record.verdict, record.revision, record.visit_id, record.counterpart) == (
        Verdict.NEEDS_STAFF,
        3,
        None,
        None,
    )


def test_a_verdict_about_a_card_or_nobody_tells_no_journey(centre: Centre):
    assert centre.block_card("P1").done
    for action in (
        received(centre, visit_id="a", card=cards_of("P1")[0]),
        received(centre, visit_id="b", card=cards_of("P2")[0]),
        received(centre, visit_id="c", patient_id="nobody"),
        received(centre, visit_id="d", patient_id="card-1", card=cards_of("new")[0], provisional=True),
    ):
        made = judged(centre, action)
        assert made.record.verdict is Verdict.NEEDS_STAFF
        assert (made.record.patient_id, made.journey) == (None, None)


def test_a_revision_takes_a_change_number_that_kiosks_and_apps_are_told(centre: Centre):
    action = received(centre)
    judged(centre, action)
    with centre.store.read() as db:
        before = db.latest_change()
    record = judged(centre, action, revision=1).record
    assert (record.revision, record.change) == (1, before + 1)
    assert centre.store.news.latest > before


def test_a_first_verdict_takes_no_change_number(centre: Centre):
    judged(centre, received(centre))
    with centre.store.read() as db:
        before = db.latest_change()
    assert judged(centre, received(centre, kiosk_id="L")).record.change == 0
    with centre.store.read() as db:
        assert db.latest_change() == before


def news_of(centre: Centre, action: ReceivedAction, **revision: int) -> list[tuple[bool, str | None, str | None]]:
    """What listeners of P1 hear of a judgement: whether it has a change number, the action and its id."""
    heard: list[Any] = []
    with centre.store.news.listen("P1", heard.append):
        judged(centre, action, **revision)
    return [(item.number > 0, item.action, item.action_id) for item in heard]


def test_apps_of_the_patient_hear_of_an_applied_action_once(centre: Centre):
    action = received(centre)
    assert news_of(centre, action) == [(True, "scan_nfc", action.intent.action_id)]


def test_apps_of_the_patient_hear_of_a_second_number_and_of_no_second_action(centre: Centre):
    registered(centre)
    arrives(centre)
    again = received(centre, "confirm_arrival", kiosk_id="L", journey_state="REGISTERED", queue_number="B-001")
    assert news_of(centre, again) == [(True, None, again.intent.action_id)]


def test_apps_of_the_patient_hear_nothing_of_a_verdict_that_changes_nothing(centre: Centre):
    judged(centre, received(centre))
    assert news_of(centre, received(centre, kiosk_id="L")) == []


def test_apps_of_the_patient_hear_of_a_revised_verdict(centre: Centre):
    action = received(centre)
    judged(centre, action)
    assert news_of(centre, action, revision=1) == [(True, None, None)]


def test_a_verdict_on_a_day_that_has_ended_has_the_states_of_that_day(centre: Centre):
    registered(centre)
    tomorrow(centre)
    late = arrives(centre)
    assert (late.code, late.from_state, late.to_state) == (Code.LATE, "REGISTERED", "WAITING")
    assert late.changed_version is None
    unfit = judged(centre, received(centre, "complete_exam")).record
    assert (unfit.code, unfit.from_state, unfit.to_state) == (Code.LATE, "WAITING", "WAITING")


def test_a_verdict_on_today_has_the_states_of_today(centre: Centre):
    judged(centre, received(centre))
    tomorrow(centre)
    today = {"visit_id": "today", "site_day": NEXT_DAY}
    judged(centre, received(centre, **today))
    merged = judged(centre, received(centre, kiosk_id="L", **today)).record
    assert (merged.from_state, merged.to_state) == ("ARRIVED", "ARRIVED")


def test_a_verdict_on_a_visit_that_is_over_today_has_the_states_of_today(centre: Centre):
    judged(centre, received(centre))
    for action in (*TO_PAYMENT, "make_payment", "make_payment", "leave_hospital"):
        assert centre.staff(action, "P1").done
    centre.time.pass_minutes(60)
    assert judged(centre, received(centre, visit_id="second")).record.verdict is Verdict.APPLIED
    merged = judged(centre, received(centre, "register", kiosk_id="L")).record
    assert (merged.code, merged.visit_id) == (Code.ALREADY_SO, "visit")
    assert (merged.from_state, merged.to_state) == ("ARRIVED", "ARRIVED")


# Arrivals.


def test_a_visit_that_opens_without_a_trusted_time_begins_at_its_receipt(centre: Centre):
    judged(centre, received(centre, **claimed(centre, 30 * MINUTE)))
    assert only(centre, "select opened_ms from visits") == {"opened_ms": centre.time()}
    assert only(centre, "select happened_ms from transitions") == {"happened_ms": centre.time() - 30 * MINUTE}


def test_a_visit_that_opens_at_a_trusted_time_begins_then(centre: Centre):
    opened = centre.time() - 30 * MINUTE
    judged(centre, received(centre, clock=clock_of(centre, ahead_ms=-30 * MINUTE)))
    assert only(centre, "select opened_ms from visits") == {"opened_ms": opened}


def test_a_later_action_without_a_trusted_time_moves_no_arrival(centre: Centre):
    judged(centre, received(centre))
    opened = centre.time()
    centre.time.pass_minutes(30)
    judged(centre, received(centre, "register", journey_state="ARRIVED", **claimed(centre, MINUTE)))
    assert only(centre, "select opened_ms from visits") == {"opened_ms": opened}


def test_an_alias_brings_an_earlier_arrival_that_can_be_trusted_and_no_other(centre: Centre):
    judged(centre, received(centre))
    opened = centre.time()
    untrusted = received(centre, kiosk_id="L", visit_id="a", **claimed(centre, 30 * MINUTE))
    assert judged(centre, untrusted).record.code is Code.VISIT_ALIAS
    assert only(centre, "select opened_ms from visits") == {"opened_ms": opened}
    trusted = received(centre, kiosk_id="M", visit_id="b", clock=clock_of(centre, ahead_ms=-30 * MINUTE))
    assert judged(centre, trusted).record.code is Code.VISIT_ALIAS
    assert only(centre, "select opened_ms from visits") == {"opened_ms": opened - 30 * MINUTE}
    assert centre.rows("select alias_id, visit_id from visit_aliases order by alias_id") == [
        {"alias_id": "a", "visit_id": "visit"},
        {"alias_id": "b", "visit_id": "visit"},
    ]


# Numbers and exams on the ticket.


def test_a_printed_number_stays(centre: Centre):
    registered(centre)
    arrives(centre)
    (entry,) = centre.journey("P1").entries
    assert (entry.queue_number, entry.queue_id, entry.exam_id, entry.moved_from) == ("A-001", "entry of P1", "X", "")


def test_an_entry_without_a_printed_number_gets_one_of_the_centres(centre: Centre):
    registered(centre)
    arrives(centre, queue_number="", exam_id="E")
    (entry,) = centre.journey("P1").entries
    assert (entry.queue_number, entry.moved_from) == ("C-001", ""), "nothing was printed for another exam"


def test_a_ticket_for_another_exam_than_that_of_the_entry_says_so(centre: Centre):
    registered(centre)
    arrives(centre, exam_id="E")
    (entry,) = centre.journey("P1").entries
    assert (entry.exam_id, entry.exam_name, entry.room) == ("X", "Radiology", "1")
    assert (entry.moved_from, entry.moved_from_room) == ("Cardiology", "2")


def test_a_ticket_for_the_exam_of_the_entry_or_for_an_unknown_one_says_nothing(centre: Centre):
    for patient_id, exam_id in (("P1", "X"), ("P2", "no such exam")):
        registered(centre, patient_id, f"visit of {patient_id}")
        arrives(centre, patient_id, f"visit of {patient_id}", exam_id=exam_id, queue_number=f"A-00{patient_id[1]}")
        (entry,) = centre.journey(patient_id).entries
        assert (entry.exam_id, entry.moved_from) == ("X", "")


def test_a_number_that_another_entry_has_opens_a_case_that_names_both(centre: Centre):
    registered(centre)
    arrives(centre)
    registered(centre, "P2", "visit of P2", "L")
    second = arrives(centre, "P2", "visit of P2", kiosk_id="L")
    assert second.verdict is Verdict.APPLIED
    case = only(centre, "select * from exceptions")
    assert (case["code"], case["kiosk_id"], case["patient_id"]) == ("duplicate_number", "L", "P2")
    assert (case["action_id"], case["opened_ms"]) == (second.verdict_id, centre.time())
    assert detail_of(centre, "duplicate_number") == {
        "queue_number": "A-001",
        "queue_ids": ["entry of P1", "entry of P2"],
    }


def test_a_number_is_compared_once_and_not_at_each_later_action(centre: Centre):
    registered(centre)
    arrives(centre)
    registered(centre, "P2", "visit of P2", "L")
    arrives(centre, "P2", "visit of P2", kiosk_id="L")
    for patient_id in ("P1", "P2"):
        assert centre.staff("call_patient", patient_id).done
    visit = {"visit_id": "visit of P2", "leg": 1, "journey_state": "CALLED"}
    assert judged(centre, received(centre, "enter_exam_room", "P2", **visit)).record.verdict is Verdict.APPLIED
    assert centre.open_cases() == ["duplicate_number"]


def test_a_number_that_was_given_on_the_day_of_a_late_visit_is_compared_with_that_day(centre: Centre):
    registered(centre)
    arrives(centre)
    registered(centre, "P2", "visit of P2", "L")
    centre.time.pass_minutes(24 * 60)
    late = arrives(centre, "P2", "visit of P2", kiosk_id="L")
    assert late.code is Code.LATE
    assert centre.open_cases() == ["duplicate_number"]


def test_a_number_that_was_given_on_a_later_day_than_its_visit_is_none_of_that_day(centre: Centre):
    registered(centre)
    arrives(centre)
    registered(centre, "P2", "visit of P2", "L")
    centre.time.pass_minutes(24 * 60)
    late = arrives(centre, "P2", "visit of P2", kiosk_id="L", site_day=NEXT_DAY)
    assert late.code is Code.LATE
    assert centre.open_cases() == []


def test_a_number_of_a_late_visit_that_its_history_has_already_is_compared_with_nothing(centre: Centre):
    registered(centre)
    arrives(centre)
    registered(centre, "P2", "visit of P2", "L")
    arrives(centre, "P2", "visit of P2", kiosk_id="L")
    assert centre.staff("call_patient", "P2").done
    assert centre.settle("discard", "duplicate_number", reason="seen to").done
    centre.time.pass_minutes(24 * 60)
    visit = {"visit_id": "visit of P2", "leg": 1, "journey_state": "CALLED", "kiosk_id": "L"}
    assert judged(centre, received(centre, "enter_exam_room", "P2", **visit)).record.code is Code.LATE
    assert centre.open_cases() == []


# Proofs.


def pays(centre: Centre, visit_id: str = "visit", **changes: Any) -> VerdictRecord:
    """The verdict on a payment in leg 1."""
    fields = {"visit_id": visit_id, "leg": 1, "journey_state": "COMPLETED", "payload": RECEIPT}
    return judged(centre, received(centre, "make_payment", **(fields | changes))).record


def to_payment(centre: Centre) -> None:
    judged(centre, received(centre))
    for action in TO_PAYMENT:
        assert centre.staff(action, "P1").done


def test_a_receipt_of_an_applied_payment_is_used_up(centre: Centre):
    to_payment(centre)
    assert pays(centre).verdict is Verdict.APPLIED
    assert only(centre, "select * from proofs") == {"action": "make_payment", "proof": "R-1", "visit_id": "visit"}


def test_a_receipt_of_a_payment_that_waits_is_not_used_up(centre: Centre):
    to_payment(centre)
    assert pays(centre, leg=0).verdict is Verdict.NEEDS_STAFF
    assert centre.rows("select * from proofs") == []


def test_an_applied_action_without_a_proof_uses_none(centre: Centre):
    judged(centre, received(centre, payload=RECEIPT))
    assert centre.rows("select * from proofs") == []


# Unknown cards.


def test_the_kiosks_id_for_the_holder_of_a_card_becomes_another_name_of_the_patient(centre: Centre):
    action = received(centre, patient_id="card-1", card=cards_of("P3")[0], provisional=True)
    assert judged(centre, action).record.patient_id == "P3"
    row = only(centre, "select alias_id, patient_id, since_ms from patient_aliases")
    assert row == {"alias_id": "card-1", "patient_id": "P3", "since_ms": centre.time()}


def test_no_id_becomes_another_name_of_a_patient_while_the_action_waits(centre: Centre):
    action = received(
        centre, "leave_hospital", patient_id="card-1", card=cards_of("P3")[0], provisional=True, visit_id="none"
    )
    assert judged(centre, action).record.verdict is Verdict.NEEDS_STAFF
    assert centre.rows("select * from patient_aliases") == []


def test_a_patients_own_id_never_becomes_another_name(centre: Centre):
    judged(centre, received(centre, card=cards_of("P1")[0], provisional=True))
    assert centre.rows("select * from patient_aliases") == []


# Cases.


def test_an_action_that_waits_is_stored_whole_in_a_case(centre: Centre):
    prior = received(centre, "leave_hospital", journey_state="UNREGISTERED", seq=7)
    judged(centre, received(centre))
    action = replace(prior, intent=msgspec.structs.replace(prior.intent, leg=0))
    record = judged(centre, action).record
    assert (record.verdict, record.code) == (Verdict.NEEDS_STAFF, Code.NOT_ALLOWED)
    case = only(centre, "select * from exceptions")
    waiting = only(centre, "select * from waiting")
    assert (case["code"], case["kiosk_id"], case["patient_id"], case["visit_id"]) == ("not_allowed", "K", "P1", "visit")
    assert (case["action_id"], case["opened_ms"]) == (action.intent.action_id, centre.time())
    assert (waiting["verdict_id"], waiting["exception_id"]) == (action.intent.action_id, case["exception_id"])
    assert (waiting["kiosk_id"], waiting["seq"], waiting["visit_id"]) == ("K", 7, "visit")
    assert (waiting["code"], waiting["received_ms"]) == ("not_allowed", centre.time())
    assert msgspec.json.decode(waiting["intent"], type=type(action.intent)) == action.intent
    assert msgspec.json.decode(waiting["sent_clock"]) == msgspec.to_builtins(action.sent)


def test_a_case_says_what_the_kiosk_showed_and_what_the_centre_knew(centre: Centre):
    judged(centre, received(centre))
    shown = {
        "journey_state": "FINISHED",
        "leg": 2,
        "site_day": "2026-03-01",
        "queue_number": "A-009",
        "exam_id": "E",
        "appointment_ids": ("A1",),
        "base_version": 5,
    }
    action = received(centre, "leave_hospital", **shown, **claimed(centre, MINUTE))
    assert judged(centre, action).record.verdict is Verdict.NEEDS_STAFF
    journey = centre.journey("P1")
    assert detail_of(centre, "not_allowed") == {
        "action_type": "leave_hospital",
        "happened_ms": centre.time() - MINUTE,
        "time_quality": "claimed",
        "conflict": 0,
        "shown": {**shown, "appointment_ids": ["A1"], "patient_id": "P1", "visit_id": "visit"},
        "known": {
            "patient_id": "P1",
            "journey_state": "ARRIVED",
            "leg": 0,
            "visit_id": "visit",
            "journey_version": journey.journey_version,
        },
    }


def test_a_case_about_nobody_names_the_id_of_the_kiosk(centre: Centre):
    judged(centre, received(centre, patient_id="nobody"))
    case = only(centre, "select patient_id, visit_id from exceptions")
    assert case == {"patient_id": "nobody", "visit_id": "visit"}
    assert detail_of(centre, "unknown_patient")["conflict"] == 8
    assert detail_of(centre, "unknown_patient")["known"]["patient_id"] is None


def test_a_case_about_a_merged_record_names_the_record_that_was_kept_and_what_the_kiosk_showed(centre: Centre):
    assert centre.merge("P1", "P2").done
    judged(centre, received(centre, "confirm_arrival", "P2"))
    assert only(centre, "select patient_id from exceptions") == {"patient_id": "P1"}
    detail = detail_of(centre, "not_allowed")
    assert (detail["shown"]["patient_id"], detail["known"]["patient_id"]) == ("P2", "P1")


def test_a_case_about_an_alias_names_the_visit_that_it_means(centre: Centre):
    judged(centre, received(centre))
    judged(centre, received(centre, kiosk_id="L", visit_id="alias"))
    judged(centre, received(centre, "leave_hospital", visit_id="alias"))
    assert only(centre, "select visit_id from exceptions") == {"visit_id": "visit"}
    assert only(centre, "select visit_id from waiting") == {"visit_id": "visit"}


def test_an_action_that_depends_on_one_that_waits_joins_its_case(centre: Centre):
    judged(centre, received(centre, patient_id="nobody"))
    assert judged(centre, received(centre, "register", "nobody")).record.code is Code.DEPENDS
    assert centre.open_cases() == ["unknown_patient"]
    assert len(centre.rows("select * from waiting")) == 2


def test_an_action_that_depends_on_one_of_the_alias_of_its_visit_joins_its_case_too(centre: Centre):
    judged(centre, received(centre))
    judged(centre, received(centre, kiosk_id="L", visit_id="alias"))
    judged(centre, received(centre, "leave_hospital", visit_id="alias"))
    assert judged(centre, received(centre, "confirm_arrival", visit_id="alias")).record.code is Code.DEPENDS
    assert centre.open_cases() == ["not_allowed"]


def test_an_action_that_waits_for_its_own_reason_has_a_case_of_its_own(centre: Centre):
    judged(centre, received(centre, patient_id="nobody"))
    forbidden = received(centre, "register", "nobody", grants=("scan_nfc",))
    assert judged(centre, forbidden).record.code is Code.FORBIDDEN
    assert sorted(centre.open_cases()) == ["forbidden", "unknown_patient"]


def test_a_case_about_other_answers_has_both_and_holds_no_action(centre: Centre):
    judged(centre, received(centre))
    judged(centre, received(centre, "register", journey_state="ARRIVED", payload={"fasting": "yes"}))
    again = received(centre, "register", kiosk_id="L", journey_state="ARRIVED", payload={"fasting": "no"})
    assert judged(centre, again).record.code is Code.ANSWERS_DIFFER
    detail = detail_of(centre, "answers_differ")
    assert (detail["said"], detail["said_before"]) == ({"fasting": "no"}, {"fasting": "yes"})
    assert (detail["action_type"], detail["conflict"]) == ("register", 2)
    assert only(centre, "select opened_ms from exceptions") == {"opened_ms": centre.time()}
    assert centre.rows("select * from waiting") == []


def test_an_action_that_a_restore_has_undone_is_reported_and_does_not_wait(centre: Centre):
    judged(centre, received(centre))
    assert centre.correct("P1", "REGISTERED").done
    prior = PriorVerdict(Verdict.APPLIED, Code.OK, 0)
    undone = received(centre, "register", kiosk_id="L", prior_verdict=prior, journey_state="ARRIVED")
    record = judged(centre, undone).record
    assert (record.verdict, record.revision, record.conflict) == (Verdict.SUPERSEDED, 1, 16)
    assert centre.open_cases() == ["reversed"]
    detail = detail_of(centre, "reversed")
    assert (detail["conflict"], "said" in detail) == (16, False)
    assert centre.rows("select * from waiting") == []


def test_an_action_without_a_conflict_opens_no_case(centre: Centre):
    judged(centre, received(centre))
    judged(centre, received(centre, kiosk_id="L"))
    assert centre.open_cases() == []


# Late actions.


def test_a_late_opening_adds_its_visit_as_one_that_is_over(centre: Centre):
    opening = received(centre)
    opened = centre.time()
    tomorrow(centre)
    late = replace(opening, sent=clock_of(centre), received_ms=centre.time())
    assert judged(centre, late).record.code is Code.LATE
    row = only(centre, "select visit_id, patient_id, site_day, opened_ms, closed_ms, opened_version from visits")
    assert (row["visit_id"], row["patient_id"], row["site_day"]) == ("visit", "P1", DAY)
    assert (row["opened_ms"], row["closed_ms"]) == (opened, centre.time())
    assert row["opened_version"] > 2**53, "no kiosk has seen it"
    journey = centre.journey("P1")
    assert (journey.state, journey.visit_id) == ("UNREGISTERED", None)


def test_a_late_opening_without_a_trusted_time_has_the_time_that_the_kiosk_claims(centre: Centre):
    tomorrow(centre)
    late = received(centre, **claimed(centre, 24 * 60 * MINUTE))
    assert judged(centre, late).record.code is Code.LATE
    row = only(centre, "select site_day, opened_ms from visits")
    assert row == {"site_day": DAY, "opened_ms": centre.time() - 24 * 60 * MINUTE}


def test_a_late_action_continues_the_history_of_its_visit(centre: Centre):
    registered(centre)
    tomorrow(centre)
    late = arrives(centre)
    (visit,) = centre.rows("select visit_id from visits")
    assert visit == {"visit_id": "visit"}
    row = only(centre, "select * from transitions where action = 'confirm_arrival'")
    assert (row["patient_id"], row["visit_id"], row["leg"], row["to_state"]) == ("P1", "visit", 1, "WAITING")
    assert (row["action_id"], row["source"]) == (late.verdict_id, "K")


def test_the_last_late_action_of_a_visit_is_in_the_history_of_that_visit(centre: Centre):
    to_payment(centre)
    for _ in range(2):
        assert centre.staff("make_payment", "P1").done
    tomorrow(centre)
    left = judged(centre, received(centre, "leave_hospital", leg=1, journey_state="FINISHED")).record
    assert (left.code, left.visit_id) == (Code.LATE, VisitId("visit"))
    assert only(centre, "select visit_id from transitions where action = 'leave_hospital'") == {"visit_id": "visit"}


def test_a_late_entry_is_written_as_ended(centre: Centre):
    registered(centre)
    tomorrow(centre)
    late = arrives(centre)
    entry = only(centre, "select queue_id, patient_id, state, site_day, queue_number from entries")
    assert entry == {
        "queue_id": "entry of P1",
        "patient_id": "P1",
        "state": "no_show",
        "site_day": DAY,
        "queue_number": "A-001",
    }
    history = centre.rows("select previous, new, reason, action_id from entry_history order by position")
    assert history == [
        {"previous": None, "new": "waiting", "reason": "confirm_arrival", "action_id": late.verdict_id},
        {"previous": "waiting", "new": "no_show", "reason": "late", "action_id": late.verdict_id},
    ]


def test_a_late_end_of_an_exam_leaves_its_entry_as_it_ended(centre: Centre):
    registered(centre)
    arrives(centre)
    assert centre.staff("call_patient", "P1").done
    tomorrow(centre)
    for action, state in (("enter_exam_room", "CALLED"), ("complete_exam", "IN_PROGRESS")):
        assert judged(centre, received(centre, action, leg=1, journey_state=state)).record.code is Code.LATE
    assert only(centre, "select state from entries") == {"state": "completed"}
    late = centre.rows("select previous, new, reason from entry_history order by change, position")[3:]
    assert [tuple(row.values()) for row in late] == [
        ("called", "in_progress", "enter_exam_room"),
        ("in_progress", "no_show", "late"),
        ("in_progress", "completed", "complete_exam"),
    ]
