"""Verdicts: each retires its row, and the base, the visit and the patient of the action follow it."""

from __future__ import annotations

from msgspec.structs import replace

from sync.cards import CardHash
from sync.journey.model import PatientId, VisitId
from sync.protocol import BindingRow, Code, Verdict
from tests.kiosk.journey.small_kiosk import HOUR, NEXT_DAY, SmallKiosk, journey
from tests.kiosk.samples import GRANTS, at, cards, entry, row

# Bases and visits.


def test_a_verdict_retires_its_row_and_the_base_follows_what_it_tells(kiosk: SmallKiosk):
    (scan,) = kiosk.tap(1)
    centre_journey = journey(1, "ARRIVED", 4, visit_id=VisitId(scan.visit_id))
    assert kiosk.ledger.retire([kiosk.judge(scan, centre_journey)]) == {"P1"}
    status = kiosk.patient_status("P1")
    assert (status.journey, status.patient.base, status.pending) == (centre_journey, centre_journey, 0)
    (register,) = kiosk.tap(1, "register")
    assert (register.base_version, register.visit_id, register.leg) == (4, scan.visit_id, 0)
    assert kiosk.one("select detail from audit where kind = 'verdict'") == "applied ok"


def test_a_verdict_that_came_before_touches_nobody(kiosk: SmallKiosk):
    (scan,) = kiosk.tap(1)
    verdict = kiosk.judge(scan, journey(1, "ARRIVED", 4))
    kiosk.ledger.retire([verdict])
    assert kiosk.ledger.retire([verdict]) == frozenset()
    assert kiosk.ledger.retire([]) == frozenset()


def test_verdicts_of_several_actions_in_any_order_leave_the_newest_journey(kiosk: SmallKiosk):
    scan, register, confirm = kiosk.tap(1, *GRANTS)
    visit = VisitId(scan.visit_id)
    verdicts = [
        kiosk.judge(scan, journey(1, "ARRIVED", 1, visit_id=visit)),
        kiosk.judge(register, journey(1, "REGISTERED", 2, visit_id=visit)),
        kiosk.judge(confirm, journey(1, "WAITING", 3, visit_id=visit, leg=1)),
    ]
    kiosk.ledger.retire([verdicts[2], verdicts[0], verdicts[1]])
    assert (kiosk.base("P1").journey_version, kiosk.state("P1")) == (3, "WAITING")


def test_a_journey_of_somebody_else_in_a_verdict_is_not_taken_over(kiosk: SmallKiosk):
    (scan,) = kiosk.tap(1)
    kiosk.ledger.retire([kiosk.judge(scan, journey(2, "FINISHED", 40), verdict=Verdict.NEEDS_STAFF, code=Code.REBOUND)])
    assert kiosk.base("P1").journey_version == 0
    assert kiosk.base("P2").journey_version == 0


def test_a_superseded_action_shows_what_the_centre_says(kiosk: SmallKiosk):
    intents = kiosk.tap(1, *GRANTS)
    called = journey(
        1,
        "CALLED",
        6,
        visit_id=VisitId(intents[0].visit_id),
        leg=1,
        current_queue_id="q-A",
        entries=(entry("A", state="called"),),
    )
    kiosk.ledger.retire([kiosk.judge(i, called, verdict=Verdict.SUPERSEDED, code=Code.MOVED_ON) for i in intents])
    status = kiosk.patient_status("P1")
    assert (status.journey.state, len(status.reversals), status.needs_staff) == (
        "CALLED",
        3,
        False,
    )


def test_an_action_that_needs_staff_is_kept_and_said_so_and_a_later_revision_settles_it(kiosk: SmallKiosk):
    (scan,) = kiosk.tap(1)
    kiosk.ledger.retire([kiosk.judge(scan, verdict=Verdict.NEEDS_STAFF, code=Code.NOT_ALLOWED)])
    status = kiosk.patient_status("P1")
    assert (status.needs_staff, status.pending, status.journey.state) == (
        True,
        0,
        "UNREGISTERED",
    )
    settled = kiosk.judge(scan, journey(1, "ARRIVED", 9), revision=1)
    assert kiosk.pull(verdicts=(settled,)) == {"P1"}
    status = kiosk.patient_status("P1")
    assert (status.needs_staff, status.journey.state) == (False, "ARRIVED")


def test_a_visit_that_was_opened_elsewhere_first_is_followed_by_all_that_is_pending(kiosk: SmallKiosk):
    scan, register = kiosk.tap(1, "scan_nfc", "register")
    theirs = VisitId("theirs")
    alias = kiosk.judge(
        scan, journey(1, "ARRIVED", 5, visit_id=theirs), verdict=Verdict.MERGED, code=Code.VISIT_ALIAS, visit_id=theirs
    )
    kiosk.ledger.retire([alias])
    status = kiosk.patient_status("P1")
    assert (status.journey.state, status.journey.visit_id, status.pending) == (
        "REGISTERED",
        "theirs",
        1,
    )
    assert kiosk.intent(register.action_id).visit_id == scan.visit_id
    (confirm,) = kiosk.tap(1, "confirm_arrival")
    assert (confirm.visit_id, confirm.leg, confirm.base_version) == ("theirs", 0, 5)


# Patients and cards.


def test_a_provisional_patient_turns_out_to_be_a_real_one(kiosk: SmallKiosk):
    kiosk.journeys.check_in_unknown(PatientId("card-9"), cards(9), "scan_nfc", None)
    kiosk.pull(row(7))
    scan = kiosk.intent(kiosk.one("select action_id from outbox"))
    centre_journey = replace(row(7).journey, state="ARRIVED", journey_version=2, visit_id=VisitId(scan.visit_id))
    assert kiosk.ledger.retire([kiosk.judge(scan, centre_journey, patient_id="P7")]) == {"card-9", "P7"}
    assert kiosk.journeys.patient_status("card-9") is None
    assert kiosk.state("P7") == "ARRIVED"
    assert kiosk.one("select patient_id from outbox") == "P7"
    # A repeat of the press has the outcome for the real patient.
    again = kiosk.journeys.check_in_unknown(PatientId("card-9"), cards(9), "scan_nfc", scan.action_id)
    assert (again.patient_id, again.action_ids, again.refusal) == ("P7", (scan.action_id,), None)


def test_a_stranger_turns_out_to_be_somebody_who_leaves_the_roster_with_the_same_page(kiosk: SmallKiosk):
    """The actions of the unknown person belong to that patient from then on, and are shown."""
    kiosk.tap(1)
    kiosk.journeys.check_in_unknown(PatientId("card-9"), cards(9), "scan_nfc", None)
    scan = kiosk.intent(kiosk.one("select action_id from outbox where patient_id = 'card-9'"))
    waits = kiosk.judge(scan, verdict=Verdict.NEEDS_STAFF, code=Code.UNKNOWN_CARD, patient_id=None)
    kiosk.ledger.retire([waits])
    kiosk.clock.forward(24 * HOUR)
    kiosk.tap(9)
    assert (kiosk.state("P1"), kiosk.state("card-9")) == ("UNREGISTERED", "ARRIVED")
    kiosk.pull(gone=("P1",), verdicts=(kiosk.judge(scan, patient_id="P1", revision=1),), now_ms=at("09:00", NEXT_DAY))
    assert kiosk.state("P1") == "ARRIVED"


def test_a_real_patient_whom_the_kiosk_does_not_know_yet_comes_with_the_next_page(kiosk: SmallKiosk):
    kiosk.journeys.check_in_unknown(PatientId("card-9"), cards(9), "scan_nfc", None)
    scan = kiosk.intent(kiosk.one("select action_id from outbox"))
    kiosk.ledger.retire([kiosk.judge(scan, replace(row(7).journey, state="ARRIVED"), patient_id="P7")])
    assert kiosk.journeys.patient_status("P7") is None
    kiosk.pull(row(7, journey=replace(row(7).journey, state="ARRIVED", journey_version=2)))
    assert kiosk.state("P7") == "ARRIVED"


def test_whom_a_restored_centre_names_instead_gets_the_action_and_the_first_is_not_forgotten(kiosk: SmallKiosk):
    kiosk.journeys.check_in_unknown(PatientId("card-9"), cards(9), "scan_nfc", None)
    kiosk.pull(row(7))
    scan = kiosk.intent(kiosk.one("select action_id from outbox"))
    kiosk.ledger.retire([kiosk.judge(scan, patient_id="P7")])
    assert kiosk.ledger.retire([kiosk.judge(scan, patient_id="P1", revision=1)]) == {"P7", "P1"}
    assert kiosk.one("select patient_id from outbox") == "P1"
    assert {"P1", "P7"} <= kiosk.knows()


def test_a_stranger_whom_the_centre_does_not_know_either_is_sent_to_the_desk(kiosk: SmallKiosk):
    kiosk.journeys.check_in_unknown(PatientId("card-9"), cards(9), "scan_nfc", None)
    scan = kiosk.intent(kiosk.one("select action_id from outbox"))
    unknown = kiosk.judge(scan, verdict=Verdict.NEEDS_STAFF, code=Code.UNKNOWN_CARD, patient_id=None)
    assert kiosk.ledger.retire([unknown]) == {"card-9"}
    assert kiosk.patient_status("card-9").needs_staff


def test_a_rebound_card_is_unbound_and_the_patients_other_card_is_not(kiosk: SmallKiosk):
    second = CardHash("k1", "second")
    bindings = (*row(1).bindings, BindingRow("b-1b", second.key_id, second.uid_hash))
    kiosk.pull(row(1, bindings=bindings))
    (scan,) = kiosk.tap(1)
    rebound = kiosk.judge(scan, verdict=Verdict.NEEDS_STAFF, code=Code.REBOUND)
    kiosk.ledger.retire([rebound])
    assert kiosk.parts.patient_of_card(cards(1)) is None
    assert kiosk.parts.patient_of_card([second]) == "P1"


def test_a_rebound_card_that_a_page_gave_to_its_new_holder_stays_theirs(kiosk: SmallKiosk):
    (scan,) = kiosk.tap(1)
    kiosk.pull(row(1, bindings=()), row(7, bindings=row(1).bindings))
    kiosk.ledger.retire([kiosk.judge(scan, verdict=Verdict.NEEDS_STAFF, code=Code.REBOUND)])
    assert kiosk.parts.patient_of_card(cards(1)) == "P7"


def test_a_card_that_was_given_back_meanwhile_stays_when_the_old_verdict_is_told_again(kiosk: SmallKiosk):
    (scan,) = kiosk.tap(1)
    rebound = {"verdict": Verdict.NEEDS_STAFF, "code": Code.REBOUND, "patient_id": None}
    kiosk.ledger.retire([kiosk.judge(scan, **rebound)])
    assert kiosk.parts.patient_of_card(cards(1)) is None
    given_back = tuple(BindingRow("b-9", each.key_id, each.uid_hash) for each in cards(1))
    kiosk.pull(row(1, bindings=given_back))
    kiosk.ledger.retire([kiosk.judge(scan, **rebound, revision=1)])
    assert kiosk.parts.patient_of_card(cards(1)) == "P1"


def test_a_rebound_press_without_a_card_forgets_all_cards_of_the_patient(kiosk: SmallKiosk):
    kiosk.tap(1)
    acted = kiosk.journeys.act("P1", "register", None, {})
    kiosk.ledger.retire(
        [kiosk.judge(kiosk.intent(acted.action_ids[0]), verdict=Verdict.NEEDS_STAFF, code=Code.REBOUND)]
    )
    assert kiosk.parts.patient_of_card(cards(1)) is None
