"""An unknown card at the reception: known, unknown and "cannot be looked up now" are three things."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from kiosk.front.screen import Lookup, Screen, ScreenKind
from kiosk.front.visitor import DECIDE_S, HOLD_ONE_CARD, LOOKUP_S
from sync.journey.model import PatientId
from sync.protocol import LookupAnswer, PatientRow
from tests.kiosk import samples
from tests.kiosk.reception_rig import ReceptionRig
from tests.kiosk.samples import cards, uid

NEW, OTHER = 7, 8  # cards that this kiosk does not know


@pytest.fixture
def rig(rig: ReceptionRig) -> ReceptionRig:
    """A reception whose centre answers."""
    rig.reception.update(frozenset(), online=True)
    return rig


def answer(rig: ReceptionRig, patient: PatientRow | None) -> None:
    """The centre answers about the card NEW."""
    rig.ledger.take_lookup(
        LookupAnswer(site_id=samples.SITE_ID, server_incarnation="one", patient=patient, versions=(2,))
    )
    rig.reception.take_lookup(cards(NEW), Lookup.UNKNOWN)


def patient_without_booking() -> PatientRow:
    return samples.row(NEW, change=50, journey=replace(samples.row(NEW).journey, appointments=()))


def shown(screen: Screen) -> tuple[ScreenKind, Lookup | None]:
    return screen.screen, screen.lookup


def test_the_first_screen_does_not_wait_and_does_not_call_the_card_unknown(rig: ReceptionRig):
    screen = rig.reception.tap(uid(NEW))
    assert shown(screen) == (ScreenKind.UNKNOWN_CARD, Lookup.ASKED)
    assert screen.next_action is None, "a press could land on the screen of the patient whom the centre names"
    assert rig.asked == [cards(NEW)]


def test_a_patient_without_a_booking_is_greeted_by_name_and_checked_in(rig: ReceptionRig):
    rig.reception.tap(uid(NEW))
    rig.seconds.now += 0.2
    answer(rig, patient_without_booking())
    greeted = rig.reception.screen()
    assert greeted.patient is not None
    assert (greeted.patient.patient_id, greeted.settling) == ("P7", True)
    rig.settle()
    assert rig.reception.screen().next_action == "register"
    with rig.store.read() as db:
        pushed = db.execute("select patient_id from outbox").fetchall()
    assert [row[0] for row in pushed] == ["P7"]


def test_a_card_that_the_hospital_does_not_know_is_called_unknown(rig: ReceptionRig):
    rig.reception.tap(uid(NEW))
    answer(rig, None)
    screen = rig.reception.screen()
    assert shown(screen) == (ScreenKind.UNKNOWN_CARD, Lookup.UNKNOWN)
    assert screen.next_action == "scan_nfc"


@pytest.mark.parametrize("answered", [True, False], ids=["the centre answers", "nobody answers"])
def test_who_is_offered_a_check_in_after_the_look_up_has_the_whole_time_for_it(rig: ReceptionRig, answered: bool):
    asked = rig.reception.tap(uid(NEW))
    assert asked.remaining_s == DECIDE_S
    rig.seconds.now += 1.0 if answered else LOOKUP_S
    if answered:
        answer(rig, None)
    rig.reception.tick()
    screen = rig.reception.screen()
    assert (screen.next_action, screen.remaining_s, screen.keeps_left) == ("scan_nfc", DECIDE_S, asked.keeps_left)


def test_offline_nobody_is_asked_and_the_card_is_never_called_unknown(rig: ReceptionRig):
    rig.reception.update(frozenset(), online=False)
    assert shown(rig.reception.tap(uid(NEW))) == (ScreenKind.UNKNOWN_CARD, Lookup.UNAVAILABLE)
    assert rig.asked == []


def test_a_kiosk_that_cannot_ask_says_that_it_cannot(rig: ReceptionRig):
    rig.can_ask = False
    assert rig.reception.tap(uid(NEW)).lookup is Lookup.UNAVAILABLE


def test_without_an_answer_in_time_the_card_counts_as_not_looked_up(rig: ReceptionRig):
    rig.reception.tap(uid(NEW))
    assert rig.reception.tick() == pytest.approx(LOOKUP_S)
    rig.seconds.now += LOOKUP_S
    rig.reception.tick()
    assert rig.reception.screen().lookup is Lookup.UNAVAILABLE
    frame = rig.reception.screen().frame
    answer(rig, patient_without_booking())
    late = rig.reception.screen()
    assert (late.frame, late.screen) == (frame, ScreenKind.UNKNOWN_CARD)


def test_an_answer_too_late_for_the_screen_still_serves_the_next_tap(rig: ReceptionRig):
    rig.tap(uid(NEW))
    rig.seconds.now += LOOKUP_S
    rig.reception.tick()
    answer(rig, patient_without_booking())
    screen = rig.tap(uid(NEW))
    assert screen.patient is not None
    assert screen.patient.patient_id == "P7"


def test_a_failed_look_up_is_told_at_once(rig: ReceptionRig):
    rig.reception.tap(uid(NEW))
    rig.reception.take_lookup(cards(NEW), Lookup.UNAVAILABLE)
    assert rig.reception.screen().lookup is Lookup.UNAVAILABLE


def test_an_answer_about_a_card_that_has_left_the_screen_changes_nothing(rig: ReceptionRig):
    rig.tap(uid(NEW))
    other = rig.tap(uid(1))
    answer(rig, patient_without_booking())
    assert rig.reception.screen().patient == other.patient


def test_a_found_patient_beside_another_known_one_in_one_gesture_is_no_choice(rig: ReceptionRig):
    rig.reception.tap(uid(NEW))
    rig.reception.tap(uid(1))
    answer(rig, patient_without_booking())
    assert rig.reception.screen().reason == HOLD_ONE_CARD
    rig.settle()
    assert rig.parts.pending() == 0


@pytest.mark.parametrize("found_first", [True, False], ids=["the patient's first", "the patient's second"])
def test_of_two_unknown_cards_the_patients_is_found_and_taken(rig: ReceptionRig, found_first: bool):
    in_order = [NEW, OTHER] if found_first else [OTHER, NEW]
    for number in in_order:
        rig.reception.tap(uid(number))
    assert rig.asked == [cards(number) for number in in_order]
    assert rig.reception.screen().reason == HOLD_ONE_CARD
    rig.reception.take_lookup(cards(OTHER), Lookup.UNKNOWN)
    answer(rig, patient_without_booking())
    greeted = rig.reception.screen()
    assert greeted.patient is not None
    assert (greeted.patient.patient_id, greeted.settling) == ("P7", True)


def test_of_two_unknown_cards_the_patients_does_not_come_back_after_both_have_left(rig: ReceptionRig):
    rig.reception.tap(uid(NEW))
    rig.reception.tap(uid(OTHER))
    rig.reception.clear_field("")
    answer(rig, patient_without_booking())
    assert rig.reception.screen().reason == HOLD_ONE_CARD


def test_an_answer_after_the_card_has_left_still_names_its_holder(rig: ReceptionRig):
    rig.tap(uid(NEW))
    rig.seconds.now += 1.2
    answer(rig, patient_without_booking())
    screen = rig.reception.screen()
    assert screen.patient is not None
    assert screen.patient.patient_id == "P7"


def test_a_check_in_pressed_before_the_answer_becomes_the_patients(rig: ReceptionRig):
    rig.reception.tap(uid(NEW))
    rig.seconds.now += LOOKUP_S
    rig.reception.tick()
    pressed = rig.press(rig.reception.screen())
    assert pressed.patient is not None
    assert pressed.patient.patient_id.startswith("card-")
    answer(rig, patient_without_booking())
    after = rig.reception.screen()
    assert after.patient is not None
    assert after.patient.patient_id == "P7"
    assert rig.parts.pending() == 1


def test_a_row_that_a_page_has_overtaken_is_not_written(rig: ReceptionRig):
    rig.pull(samples.row(NEW, change=60))
    assert rig.journeys.identity is not None
    rig.ledger.take_lookup(
        LookupAnswer(
            site_id=samples.SITE_ID,
            server_incarnation="one",
            patient=samples.row(NEW, change=1, masked_name="older"),
            versions=(2,),
        )
    )
    with rig.store.read() as db:
        assert db.execute("select masked_name from patients where patient_id = 'P7'").fetchone()[0] == "홍*동"


def test_a_row_of_another_incarnation_is_not_written(rig: ReceptionRig):
    rig.ledger.take_lookup(
        LookupAnswer(
            site_id=samples.SITE_ID, server_incarnation="two", patient=patient_without_booking(), versions=(2,)
        )
    )
    assert rig.parts.patient_of_card(cards(NEW)) is None


def test_a_row_of_another_site_is_not_written(rig: ReceptionRig):
    row = patient_without_booking()
    rig.ledger.take_lookup(LookupAnswer(site_id="another", server_incarnation="one", patient=row, versions=(2,)))
    assert rig.parts.patient_of_card(cards(NEW)) is None


def test_a_kiosk_that_was_ended_takes_no_row(rig: ReceptionRig):
    rig.ledger.end()
    rig.ledger.take_lookup(
        LookupAnswer(
            site_id=samples.SITE_ID, server_incarnation="one", patient=patient_without_booking(), versions=(2,)
        )
    )
    assert rig.parts.patient_of_card(cards(NEW)) is None


def test_the_roster_forgets_a_found_patient_who_has_left_it(rig: ReceptionRig):
    rig.ledger.take_lookup(
        LookupAnswer(
            site_id=samples.SITE_ID, server_incarnation="one", patient=patient_without_booking(), versions=(2,)
        )
    )
    assert rig.parts.patient_of_card(cards(NEW)) == PatientId("P7")
    rig.pull(gone=("P7",))
    assert rig.parts.patient_of_card(cards(NEW)) is None


def test_the_same_unknown_card_once_more_is_the_same_person_with_the_same_settings(rig: ReceptionRig):
    rig.can_ask = False
    first = rig.tap(uid(NEW))
    rig.reception.set_pace(first.stay, slow=True)
    again = rig.tap(uid(NEW))
    assert (again.stay, again.patient, again.slow) == (first.stay, first.patient, True)
    other = rig.tap(uid(OTHER))
    assert other.stay != first.stay
    assert other.patient != first.patient
    assert not other.slow
