"""The evidence for one action: whom it means, on which visit and day, and what has happened since the kiosk's pull."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sync.central.records.told_seqs import Window
from sync.central.records.visits import add_visit_alias
from sync.journey.definitions import read, shipped
from sync.journey.model import PatientId
from sync.protocol import Code, PriorVerdict, Verdict
from tests.site_rules import with_weighing
from tests.sync.central.conflicts.pushed import clock_of, context_of, gathered, judged, received
from tests.sync.central.two_stores.acts import give_card
from tests.sync.central.wire import DAY, MINUTE, Centre, cards_of

NEXT_DAY = "2026-03-03"
RECEIPT = {"receipt_id": "R-1"}


def tomorrow(centre: Centre) -> None:
    centre.time.pass_minutes(24 * 60)


def binding_of(centre: Centre, patient_id: str) -> str:
    (row,) = centre.rows("select binding_id from bindings where patient_id = :id and end_ms is null", id=patient_id)
    return str(row["binding_id"])


# The patient.


def test_an_id_of_a_patient_means_that_patient_on_the_day_of_the_site(centre: Centre):
    found = gathered(centre, received(centre))
    assert (found.subject, found.journey) == ("P1", centre.journey("P1"))
    assert (found.today, found.day, found.arrived_ms, found.received_ms) == (DAY, DAY, centre.time(), centre.time())
    assert found.walk_in.exam_id == "DESK"


def test_an_unknown_id_means_nobody_and_has_a_journey_that_has_not_begun(centre: Centre):
    found = gathered(centre, received(centre, patient_id="nobody"))
    assert (found.subject, found.visit, found.moved, found.visit_waits) == (None, None, frozenset(), False)
    journey = found.journey
    assert (journey.patient_id, journey.state, journey.site_day) == ("nobody", "UNREGISTERED", DAY)


def test_an_id_of_a_merged_record_means_the_record_that_was_kept(centre: Centre):
    assert centre.merge("P1", "P2").done
    assert gathered(centre, received(centre, patient_id="P2")).subject == "P1"


@pytest.mark.parametrize(("provisional", "subject"), [(True, "P3"), (False, None)])
def test_the_holder_of_the_card_is_meant_where_the_kiosk_did_not_know_the_card(
    centre: Centre, provisional: bool, subject: str | None
):
    action = received(centre, patient_id="card-1", card=cards_of("P3")[0], provisional=provisional)
    assert gathered(centre, action).subject == subject


def test_a_patient_whom_the_id_names_counts_more_than_the_holder_of_the_card(centre: Centre):
    action = received(centre, patient_id="P1", card=cards_of("P3")[0], provisional=True)
    assert gathered(centre, action).subject == "P1"


def test_the_holder_of_a_card_now_and_the_holder_of_its_binding_are_both_known(centre: Centre):
    binding = binding_of(centre, "P1")
    give_card(centre, "P1", "P3")
    found = gathered(centre, received(centre, card=cards_of("P1")[0], binding_id=binding))
    assert (found.card_holder, found.binding_holder, found.card_blocked) == ("P3", "P1", False)
    nothing = gathered(centre, received(centre))
    assert (nothing.card_holder, nothing.binding_holder) == (None, None)


def test_a_card_that_was_reported_lost_is_blocked(centre: Centre):
    assert centre.block_card("P1").done
    assert gathered(centre, received(centre, card=cards_of("P1")[0])).card_blocked


# Rules and grants.


def test_rules_that_are_no_longer_supported_are_none_and_the_grants_are_those_of_the_centres_rules(centre: Centre):
    found = gathered(centre, received(centre, grants=("entrance",), definitions_version=99))
    assert found.rules is None
    assert found.grants == frozenset(centre.definitions.granted(("entrance",)))
    assert "scan_nfc" in found.grants


def test_the_rules_are_those_by_which_the_kiosk_judged(centre: Centre):
    context = context_of(centre)
    found = gathered(centre, received(centre, grants=("scan_nfc",)))
    assert (found.rules, found.grants) == (context.definitions, frozenset({"scan_nfc"}))


def test_older_rules_judge_and_grant_until_the_patient_is_in_a_state_that_they_do_not_know(centre: Centre):
    centre.store.close()
    centre.definitions = read(with_weighing(shipped().document))
    centre.open()
    action = received(centre, grants=("entrance",), definitions_version=shipped().version)
    found = gathered(centre, action)
    assert found.rules is not None
    assert (found.rules.version, "weigh" in found.grants) == (shipped().version, False)
    for step in ("scan_nfc", "weigh"):
        assert centre.staff(step, "P1").done
    found = gathered(centre, action)
    assert (found.rules, "weigh" in found.grants) == (None, True)


def test_an_unknown_patient_is_judged_by_the_rules_of_the_kiosk_too(centre: Centre):
    assert gathered(centre, received(centre, patient_id="nobody")).rules is not None


# Days and times.


def test_an_action_is_of_the_day_of_its_trusted_time(centre: Centre):
    action = received(centre, site_day="2026-02-01")
    tomorrow(centre)
    found = gathered(centre, replace(action, received_ms=centre.time(), sent=clock_of(centre)))
    assert (found.day, found.today) == (DAY, NEXT_DAY)
    assert found.arrived_ms == centre.time() - 24 * 60 * MINUTE


@pytest.mark.parametrize(("said", "day"), [("2026-02-01", "2026-02-01"), (DAY, DAY), ("2099-01-01", DAY)])
def test_an_action_without_a_trusted_time_is_of_the_day_that_the_kiosk_named_and_never_of_one_to_come(
    centre: Centre, said: str, day: str
):
    claimed = clock_of(centre, synchronised=False, boot="before")
    found = gathered(centre, received(centre, clock=claimed, site_day=said))
    assert (found.arrived_ms, found.day, found.received_ms) == (None, day, centre.time())


def test_a_synchronised_wall_clock_of_another_boot_is_trusted(centre: Centre):
    synchronised = clock_of(centre, boot="before", ahead_ms=-MINUTE)
    assert gathered(centre, received(centre, clock=synchronised)).arrived_ms == centre.time() - MINUTE


def test_a_time_outside_of_the_window_is_the_nearest_end_of_it(centre: Centre):
    now = centre.time()
    early = received(centre, clock=clock_of(centre, ahead_ms=-10 * MINUTE))
    assert replace(early, window=Window(now - MINUTE, now)).happened.at_ms == now - MINUTE
    assert replace(early, window=Window(None, now - 20 * MINUTE)).happened.at_ms == now - 20 * MINUTE
    assert early.happened.at_ms == now - 10 * MINUTE


def test_an_action_is_never_later_than_its_receipt_whatever_the_window_says(centre: Centre):
    now = centre.time()
    assert received(centre, window=Window(now + MINUTE, now + 2 * MINUTE)).happened.at_ms == now


def test_a_day_that_has_ended_for_the_patient_is_closed_first_by_the_centre(centre: Centre):
    assert judged(centre, received(centre)).record.verdict is Verdict.APPLIED
    tomorrow(centre)
    found = gathered(centre, received(centre, "register"))
    assert (found.journey.state, found.journey.site_day) == ("UNREGISTERED", NEXT_DAY)
    (row,) = centre.rows("select source, recorded_ms from transitions where action = 'close_day'")
    assert row == {"source": "centre", "recorded_ms": centre.time()}


# Bookings that were shown.


def move(centre: Centre, appointment_id: str, day: str) -> None:
    with centre.store.write() as db:
        db.execute(
            "update appointments set site_day = :day where appointment_id = :id", {"day": day, "id": appointment_id}
        )


def test_a_booking_that_was_shown_for_a_day_and_is_of_another_by_now_has_moved(centre: Centre):
    move(centre, "A1", "2026-03-09")
    found = gathered(centre, received(centre, appointment_ids=("A1", "A2", "gone")))
    assert found.moved == {"A1"}


def test_a_booking_of_the_day_on_which_it_was_shown_has_not_moved_though_the_day_is_over(centre: Centre):
    tomorrow(centre)
    assert gathered(centre, received(centre, appointment_ids=("A1",), site_day=DAY)).moved == frozenset()


def test_a_booking_of_another_patient_is_none_that_moved(centre: Centre):
    move(centre, "A3", "2026-03-09")
    assert gathered(centre, received(centre, appointment_ids=("A3",))).moved == frozenset()


def test_a_booking_of_today_has_not_moved_away(centre: Centre):
    assert gathered(centre, received(centre, appointment_ids=("A1",), site_day="2026-03-01")).moved == frozenset()


# Actions that wait, proofs, and verdicts from before a restore.


def wait(centre: Centre, **changes: str) -> str:
    """An action of a visit of P1 waits for staff. Returns its id."""
    action = received(centre, "no_such_action", **changes)
    assert judged(centre, action).record.verdict is Verdict.NEEDS_STAFF
    return action.intent.action_id


def test_an_action_waits_where_another_of_its_visit_waits(centre: Centre):
    wait(centre)
    assert gathered(centre, received(centre)).visit_waits
    assert not gathered(centre, received(centre, visit_id="another")).visit_waits


def test_an_action_that_is_judged_again_does_not_count_as_one_that_waits(centre: Centre):
    first, second = wait(centre), wait(centre)
    assert gathered(centre, received(centre), rejudged=frozenset({first})).visit_waits
    assert not gathered(centre, received(centre), rejudged=frozenset({first, second})).visit_waits


def opened_twice(centre: Centre) -> None:
    """One kiosk opens a visit of P1, and another kiosk opens it again under an alias."""
    judged(centre, received(centre))
    again = judged(centre, received(centre, kiosk_id="L", visit_id="alias"))
    assert again.record.code is Code.VISIT_ALIAS


def test_an_action_waits_where_another_waits_under_the_other_id_of_their_visit(centre: Centre):
    opened_twice(centre)
    wait(centre, visit_id="visit")
    assert gathered(centre, received(centre, "register", visit_id="alias")).visit_waits


def test_an_action_waits_where_another_came_to_wait_before_their_visit_had_its_alias(centre: Centre):
    judged(centre, received(centre))
    wait(centre, visit_id="alias", patient_id="nobody")
    with centre.store.write() as db:
        add_visit_alias(db, "alias", "visit", centre.time())
    assert gathered(centre, received(centre, "register", visit_id="alias")).visit_waits


def paid(centre: Centre) -> None:
    """P1 has paid by a kiosk."""
    judged(centre, received(centre))
    for action in ("register", "confirm_arrival", "call_patient", "start_exam", "complete_exam"):
        assert centre.staff(action, "P1").done
    payment = received(centre, "make_payment", leg=1, journey_state="COMPLETED", payload=RECEIPT)
    assert judged(centre, payment).record.verdict is Verdict.APPLIED


def test_a_receipt_counts_for_the_visit_that_it_paid_and_for_no_other(centre: Centre):
    paid(centre)
    assert not gathered(centre, received(centre, "make_payment", payload=RECEIPT)).proof_used
    assert gathered(centre, received(centre, "make_payment", "P2", visit_id="of P2", payload=RECEIPT)).proof_used
    judged(centre, received(centre, "scan_nfc", "P2", visit_id="of P2"))
    assert gathered(centre, received(centre, "make_payment", "P2", visit_id="of P2", payload=RECEIPT)).proof_used


def test_another_receipt_another_action_and_unknown_rules_or_actions_use_no_proof(centre: Centre):
    paid(centre)
    for other in (
        received(centre, "make_payment", visit_id="other", payload={"receipt_id": "R-2"}),
        received(centre, "make_payment", visit_id="other"),
        received(centre, "register", visit_id="other", payload=RECEIPT),
        received(centre, "fly", visit_id="other", payload=RECEIPT),
        received(centre, "make_payment", visit_id="other", payload=RECEIPT, definitions_version=99),
    ):
        assert not gathered(centre, other).proof_used


def test_the_verdict_from_before_a_restore_is_part_of_the_evidence(centre: Centre):
    prior = PriorVerdict(Verdict.APPLIED, Code.OK, 3)
    assert gathered(centre, received(centre, prior_verdict=prior)).prior_verdict == prior


# Changes since the kiosk's last pull.


def test_changes_by_the_kiosk_itself_are_no_changes_elsewhere(centre: Centre):
    judged(centre, received(centre))
    judged(centre, received(centre, "register", journey_state="ARRIVED"))
    assert not gathered(centre, received(centre, "confirm_arrival")).changed_elsewhere
    assert gathered(centre, received(centre, "confirm_arrival", kiosk_id="L")).changed_elsewhere


def test_changes_that_the_kiosk_has_pulled_are_no_changes_elsewhere(centre: Centre):
    assert centre.staff("scan_nfc", "P1").done
    pulled = centre.journey("P1").journey_version
    assert not gathered(centre, received(centre, "register", base_version=pulled)).changed_elsewhere
    assert gathered(centre, received(centre, "register", base_version=pulled - 1)).changed_elsewhere


def test_a_visit_that_another_opened_since_is_unseen_and_the_kiosks_own_is_not(centre: Centre):
    judged(centre, received(centre))
    assert gathered(centre, received(centre, visit_id="second")).unseen_visit is None
    assert gathered(centre, received(centre, kiosk_id="L", visit_id="second")).unseen_visit == "visit"


def test_a_visit_that_the_kiosk_has_pulled_is_not_unseen(centre: Centre):
    judged(centre, received(centre))
    pulled = centre.journey("P1").journey_version
    seen = received(centre, kiosk_id="L", visit_id="second", base_version=pulled)
    assert gathered(centre, seen).unseen_visit is None


def test_a_visit_of_another_day_is_not_unseen(centre: Centre):
    judged(centre, received(centre))
    tomorrow(centre)
    assert gathered(centre, received(centre, kiosk_id="L", visit_id="second", site_day=NEXT_DAY)).unseen_visit is None


def left(centre: Centre) -> None:
    """P1 came and left at the centre itself."""
    for action in ("scan_nfc", "register", "confirm_arrival", "call_patient", "start_exam", "complete_exam"):
        assert centre.staff(action, "P1").done
    for action in ("make_payment", "make_payment", "leave_hospital"):
        assert centre.staff(action, "P1").done


def test_a_visit_that_was_over_at_the_arrival_is_another_visit(centre: Centre):
    left(centre)
    centre.time.pass_minutes(60)
    assert gathered(centre, received(centre)).unseen_visit is None
    before = clock_of(centre, ahead_ms=-90 * MINUTE)
    assert gathered(centre, received(centre, clock=before)).unseen_visit is not None


def test_every_visit_of_the_day_counts_as_open_where_the_arrival_cannot_be_trusted(centre: Centre):
    left(centre)
    centre.time.pass_minutes(60)
    claimed = clock_of(centre, synchronised=False, boot="before")
    assert gathered(centre, received(centre, clock=claimed)).unseen_visit is not None


def test_versions_of_a_merged_record_are_none_of_the_record_that_was_kept(centre: Centre):
    """The kiosk has pulled a high version of a record that was merged since. It has seen nothing of the kept one."""
    assert centre.staff("scan_nfc", "P1").done
    assert centre.merge("P1", "P2").done
    action = received(centre, "scan_nfc", "P2", visit_id="of P2", base_version=1000)
    found = gathered(centre, action)
    assert (found.subject, found.changed_elsewhere) == ("P1", True)
    assert found.unseen_visit == centre.journey("P1").visit_id


def test_a_correction_counts_until_the_kiosk_has_pulled_it(centre: Centre):
    judged(centre, received(centre))
    assert centre.correct("P1", "REGISTERED").done
    pulled = centre.journey("P1").journey_version
    assert gathered(centre, received(centre, base_version=pulled - 1)).corrected
    assert not gathered(centre, received(centre, base_version=pulled)).corrected


def test_a_correction_counts_for_a_kiosk_that_knows_the_patient_by_a_merged_record(centre: Centre):
    judged(centre, received(centre))
    assert centre.correct("P1", "REGISTERED").done
    assert centre.merge("P1", "P2").done
    assert gathered(centre, received(centre, patient_id="P2", base_version=1000)).corrected


def test_one_of_two_visits_of_merged_records_is_marked(centre: Centre):
    judged(centre, received(centre))
    judged(centre, received(centre, patient_id="P2", visit_id="of P2"))
    assert not gathered(centre, received(centre)).two_visits
    assert centre.merge("P1", "P2").done
    assert gathered(centre, received(centre, "register", "P2", visit_id="of P2")).two_visits


# The visit and its history.


def test_a_visit_of_another_patient_is_no_visit_of_the_subject(centre: Centre):
    judged(centre, received(centre))
    found = gathered(centre, received(centre, "register", "P2"))
    assert (found.visit, found.recorded_payload) == (None, {})


def test_the_visit_that_the_patient_is_on_stands_as_the_journey_does(centre: Centre):
    opened_twice(centre)
    found = gathered(centre, received(centre, "register", visit_id="alias"))
    assert found.visit is not None
    assert (found.visit.visit_id, found.visit.history, found.visit.done) == (
        "visit",
        centre.journey("P1"),
        {("scan_nfc", 0)},
    )


def test_a_visit_that_the_day_ended_stands_as_before_the_end_of_its_day(centre: Centre):
    judged(centre, received(centre))
    judged(centre, received(centre, "register", journey_state="ARRIVED"))
    arrival = received(centre, "confirm_arrival", journey_state="REGISTERED", queue_number="A-001", queue_id="entry")
    judged(centre, arrival)
    tomorrow(centre)
    found = gathered(centre, received(centre, "enter_exam_room"))
    assert found.visit is not None
    history = found.visit.history
    assert (history.state, history.leg, history.site_day, history.visit_id) == ("WAITING", 1, DAY, "visit")
    assert history.patient_id == "P1"
    assert [(entry.queue_id, entry.state) for entry in history.entries] == [("entry", "waiting")]
    assert history.current_queue_id == "entry"
    assert found.visit.done == {("scan_nfc", 0), ("register", 0), ("confirm_arrival", 1), ("close_day", 1)}


def second_leg(centre: Centre) -> None:
    """P1 has been through a first exam and waits for a second one."""
    judged(centre, received(centre))
    for action in ("register", "confirm_arrival", "call_patient", "start_exam", "complete_exam", "confirm_arrival"):
        assert centre.staff(action, "P1").done


def test_of_a_past_visit_only_the_entry_of_its_last_leg_is_open_again(centre: Centre):
    second_leg(centre)
    tomorrow(centre)
    found = gathered(centre, received(centre, "enter_exam_room"))
    assert found.visit is not None
    history = found.visit.history
    assert [(entry.leg, entry.state) for entry in history.entries] == [(1, "completed"), (2, "waiting")]
    assert history.current is not None
    assert history.current.leg == 2


def test_a_past_visit_whose_last_leg_joined_an_entry_of_an_earlier_one_has_no_current_entry(centre: Centre):
    second_leg(centre)
    with centre.store.write() as db:
        db.execute("update entries set leg = 1")
    tomorrow(centre)
    found = gathered(centre, received(centre, "enter_exam_room"))
    assert found.visit is not None
    history = found.visit.history
    assert (history.leg, history.current_queue_id) == (2, None)
    assert [(each.leg, each.state) for each in history.entries] == [(1, "completed"), (1, "no_show")]


def test_a_past_visit_without_an_entry_has_no_current_one(centre: Centre):
    judged(centre, received(centre))
    tomorrow(centre)
    found = gathered(centre, received(centre, "register"))
    assert found.visit is not None
    history = found.visit.history
    assert (history.state, history.leg, history.entries, history.current_queue_id) == ("ARRIVED", 0, (), None)


def test_a_past_visit_of_which_nothing_is_recorded_has_not_begun(centre: Centre):
    judged(centre, received(centre))
    with centre.store.write() as db:
        db.execute("delete from transitions")
    tomorrow(centre)
    found = gathered(centre, received(centre, "register"))
    assert found.visit is not None
    assert (found.visit.history.state, found.visit.history.leg) == ("UNREGISTERED", 0)


def test_the_answers_that_were_recorded_are_those_of_the_first_such_action_of_the_leg(centre: Centre):
    judged(centre, received(centre))
    answers = {"fasting": "yes"}
    judged(centre, received(centre, "register", journey_state="ARRIVED", payload=answers))
    said = {"fasting": "no"}
    assert gathered(centre, received(centre, "register", payload=said)).recorded_payload == answers
    assert gathered(centre, received(centre, "register")).recorded_payload == {}
    assert gathered(centre, received(centre, "register", leg=1, payload=said)).recorded_payload == {}
    assert gathered(centre, received(centre, "scan_nfc", payload=said)).recorded_payload == {}


def test_the_context_of_a_transaction_knows_the_day_the_rules_and_the_site(centre: Centre):
    context = context_of(centre)
    assert (context.today, context.now_ms, context.rejudged) == (DAY, centre.time(), frozenset())
    assert context.rules(centre.definitions.version) == centre.definitions
    assert context.settings.site_id == centre.site_id
    assert PatientId(context.ids()) != context.ids()
