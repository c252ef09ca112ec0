"""Several cards in one gesture, at the reception on a real store: for whom the kiosk acts, and what it shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from hardware.card import RefusedReason
from kiosk.front.offer import Misplaced
from kiosk.front.screen import ScreenKind
from kiosk.front.visitor import DECIDE_S, HOLD_ONE_CARD, INFORM_S, SETTLE_S
from sync.words.words import NoteKind
from tests.kiosk.reception_rig import ReceptionRig, noted
from tests.kiosk.samples import uid

ALL_AT_ONCE = ("scan_nfc", "register", "confirm_arrival")
UNKNOWN, UNKNOWN_TOO = "iso14443a:04EEEEEEEEEEEE", "iso14443a:05050505050505"
READERS = [("left", "left"), ("left", "right")]


def audit(rig: ReceptionRig) -> list[tuple[str, str]]:
    with rig.store.read() as db:
        return [(row["kind"], row["detail"]) for row in db.execute("select kind, detail from audit order by audit_id")]


def states(rig: ReceptionRig) -> list[str]:
    with rig.store.read() as db:
        return [row[0] for row in db.execute("select view ->> '$.state' from patients order by patient_id")]


def test_a_tap_greets_its_person_at_once_and_acts_a_moment_later(rig: ReceptionRig):
    greeted = rig.reception.tap(uid(1))
    assert greeted.patient is not None
    assert (greeted.patient.masked_name, greeted.settling, greeted.next_action) == ("홍*동", True, None)
    assert greeted.remaining_s == DECIDE_S, "the time does not jump when the tap acts"
    assert rig.parts.pending() == 0
    rig.seconds.now += SETTLE_S / 2
    assert rig.reception.tick() == pytest.approx(SETTLE_S / 2)
    assert rig.parts.pending() == 0
    rig.seconds.now += SETTLE_S / 2
    rig.reception.tick()
    settled = rig.reception.screen()
    assert (settled.settling, settled.next_action) == (False, "register")
    assert (rig.parts.pending(), rig.nudges) == (1, 1)


@pytest.mark.parametrize("readers", READERS, ids=["one reader", "two readers"])
def test_for_two_known_people_in_one_gesture_nothing_is_done(tmp_path: Path, readers: tuple[str, str]):
    rig = ReceptionRig(tmp_path, automatic=ALL_AT_ONCE)
    rig.reception.tap(uid(1), readers[0])
    rig.seconds.now += 0.1
    both = rig.reception.tap(uid(2), readers[1])
    assert (both.screen, both.reason, both.patient) == (ScreenKind.REFUSED_CARD, HOLD_ONE_CARD, None)
    for _ in range(3):
        rig.settle()
        rig.reception.tap(uid(1), readers[0])
        rig.reception.tap(uid(2), readers[1])
    assert rig.parts.pending() == 0
    assert set(states(rig)) == {"UNREGISTERED"}
    assert rig.nudges == 0
    assert ("refused_tap", HOLD_ONE_CARD) in audit(rig)
    rig.store.close()


def test_a_second_person_after_the_tap_has_acted_takes_the_first_from_the_screen(rig: ReceptionRig):
    rig.reception.tap(uid(1))
    rig.settle()
    both = rig.reception.tap(uid(2))
    assert (both.reason, both.patient) == (HOLD_ONE_CARD, None)
    assert rig.act("register", "P1").code == Misplaced.CONFLICT
    assert rig.act("register", "P2").code == Misplaced.CONFLICT
    rig.settle()
    assert rig.parts.pending() == 1


def test_one_card_alone_is_taken_after_the_gesture_of_two(rig: ReceptionRig):
    rig.reception.tap(uid(1))
    rig.reception.tap(uid(2))
    rig.reception.clear_field("")
    screen = rig.tap(uid(2))
    assert screen.patient is not None
    assert screen.patient.patient_id == "P2"


def test_a_card_that_lies_at_another_reader_makes_nobody_wait_for_the_person_before(rig: ReceptionRig):
    rig.reception.refuse_card(RefusedReason.LIFT_AGAIN, "slot")
    for number, patient_id in [(1, "P1"), (2, "P2")]:
        rig.reception.tap(uid(number), "reader")
        rig.settle()
        screen = rig.reception.screen()
        assert screen.patient is not None
        assert screen.patient.patient_id == patient_id
        rig.reception.clear_field("reader")
    assert rig.reception.fields() == ("slot",)


@pytest.mark.parametrize("other", ["phone", "unreadable", "unknown"])
@pytest.mark.parametrize("known_first", [True, False], ids=["known first", "known second"])
def test_the_known_card_of_a_wallet_wins(rig: ReceptionRig, other: str, known_first: bool):
    def hold_other() -> None:
        if other == "unknown":
            rig.reception.tap(UNKNOWN)
        else:
            rig.reception.refuse_card(other)

    for step in (True, False):
        if step is known_first:
            rig.reception.tap(uid(1))
        else:
            hold_other()
        rig.seconds.now += 0.1
    rig.settle()
    hold_other()
    screen = rig.reception.screen()
    assert screen.patient is not None
    assert (screen.patient.patient_id, screen.next_action) == ("P1", "register")
    assert rig.parts.pending() == 1


def test_a_refused_card_beside_a_known_one_is_recorded_all_the_same(rig: ReceptionRig):
    rig.reception.tap(uid(1))
    rig.reception.refuse_card("phone")
    assert ("refused_tap", "phone") in audit(rig)


def test_a_card_that_flickers_within_one_gesture_is_one_tap(rig: ReceptionRig):
    rig.reception.tap(uid(1))
    rig.settle()
    again = rig.reception.tap(uid(1))
    assert (noted(again), again.next_action) == ((), "register")
    assert rig.parts.pending() == 1


def test_a_card_that_comes_back_in_a_later_gesture_is_a_second_tap(rig: ReceptionRig):
    rig.press(rig.press(rig.tap(uid(1))))
    assert noted(rig.tap(uid(1))) == (NoteKind.REPEATED,)


def test_a_refusal_in_a_later_gesture_takes_the_screen(rig: ReceptionRig):
    rig.tap(uid(1))
    assert rig.refuse("phone").reason == "phone"


def test_the_next_person_is_served_at_once_after_done_was_pressed_with_the_card_still_there(rig: ReceptionRig):
    rig.reception.tap(uid(1))
    rig.settle()
    rig.leave()
    screen = rig.tap(uid(2))
    assert screen.patient is not None
    assert screen.patient.patient_id == "P2"


def test_done_before_the_tap_has_acted_means_that_it_never_acts(rig: ReceptionRig):
    rig.reception.tap(uid(1))
    rig.leave()
    rig.settle()
    assert rig.parts.pending() == 0


def test_a_press_before_the_tap_has_acted_is_no_press(rig: ReceptionRig):
    rig.reception.tap(uid(1))
    assert rig.act("register", "P1").code == Misplaced.CONFLICT
    rig.settle()
    assert rig.parts.pending() == 1


def test_between_two_unknown_cards_there_is_no_choice_until_a_known_one_comes(rig: ReceptionRig):
    rig.reception.tap(UNKNOWN)
    assert rig.reception.tap(UNKNOWN_TOO).reason == HOLD_ONE_CARD
    greeted = rig.reception.tap(uid(1))
    assert greeted.patient is not None
    assert (greeted.patient.patient_id, greeted.settling) == ("P1", True)
    rig.settle()
    assert rig.parts.pending() == 1


@pytest.mark.parametrize("known_first", [True, False], ids=["known first", "known second"])
def test_a_card_that_was_checked_in_unknown_gives_way_to_its_owners_hospital_card(rig: ReceptionRig, known_first: bool):
    rig.press(rig.tap(UNKNOWN))
    rig.leave()
    for card in (uid(1), UNKNOWN) if known_first else (UNKNOWN, uid(1)):
        rig.reception.tap(card)
        rig.seconds.now += 0.1
    rig.settle()
    screen = rig.reception.screen()
    assert screen.patient is not None
    assert screen.patient.patient_id == "P1"


def test_the_request_for_one_card_goes_by_itself(rig: ReceptionRig):
    rig.reception.tap(uid(1))
    rig.reception.tap(uid(2))
    rig.seconds.now += INFORM_S
    rig.reception.tick()
    assert rig.reception.screen().screen is ScreenKind.ATTRACT


def test_a_tap_that_has_not_acted_acts_when_the_kiosk_stops(rig: ReceptionRig):
    rig.reception.tap(uid(1))
    rig.reception.stop()
    assert rig.parts.pending() == 1


def test_the_clockwork_lets_a_tap_act_by_itself(rig: ReceptionRig):
    rig.reception.start()
    rig.reception.tap(uid(1))
    rig.seconds.now += SETTLE_S
    rig.keep()  # wakes the clockwork, whose clock a test moves
    assert rig.reception.await_settled(30.0).next_action == "register"
    rig.reception.clear_field("")
    assert rig.reception.await_clear_fields(0)
    rig.reception.stop()


def test_a_card_that_lies_on_a_reader_keeps_its_field(rig: ReceptionRig):
    rig.reception.tap(uid(1), "left")
    assert not rig.reception.await_clear_fields(0)
