"""A press counts for the person and the step that were under the finger, and once."""

from __future__ import annotations

import pytest

from kiosk.front.offer import DEAD_S, Misplaced, Press
from kiosk.front.screen import Screen, ScreenKind
from kiosk.front.visitor import SETTLE_S
from sync.ids import new_id
from tests.kiosk.reception_rig import ReceptionRig
from tests.kiosk.samples import uid


def press_on(screen: Screen) -> Press:
    """The press of a finger that goes down on the button of a screen."""
    assert screen.patient is not None
    assert screen.next_action is not None
    assert screen.offer is not None
    return Press(screen.offer, screen.patient.patient_id, screen.next_action, new_id())


def test_a_finger_on_its_way_to_one_person_does_not_act_for_the_next(rig: ReceptionRig):
    first = rig.tap(uid(1))
    second = rig.tap(uid(2))
    rig.seconds.now += DEAD_S
    late = rig.reception.act(press_on(first))
    assert (late.code, late.screen.patient) == (Misplaced.CONFLICT, second.patient)
    assert rig.parts.pending() == 2, "two taps, and no press"


def test_a_button_that_has_just_come_takes_no_press(rig: ReceptionRig):
    greeted = rig.tap(uid(1))
    rig.seconds.now += DEAD_S - 0.01
    assert rig.reception.act(press_on(greeted)).code == Misplaced.TOO_SOON
    rig.seconds.now += 0.01
    assert rig.reception.act(press_on(greeted)).code is None


def test_a_second_press_is_no_answer_to_the_next_question(rig: ReceptionRig):
    greeted = rig.tap(uid(1))
    registered = rig.press(greeted)
    assert registered.next_action == "confirm_arrival"
    twice = press_on(greeted)
    assert rig.reception.act(twice).code == Misplaced.STALE
    assert rig.reception.act(press_on(registered)).code == Misplaced.TOO_SOON
    rig.seconds.now += DEAD_S
    assert rig.reception.act(twice).code == Misplaced.STALE
    assert rig.parts.pending() == 2


def test_a_press_that_is_sent_again_has_the_result_of_the_first(rig: ReceptionRig):
    press = press_on(rig.tap(uid(1)))
    rig.seconds.now += DEAD_S
    first, second = rig.reception.act(press), rig.reception.act(press)
    assert (first.action_id, second.action_id, second.error) == (press.action_id, press.action_id, None)
    assert rig.parts.pending() == 2


def test_the_offer_stays_while_the_question_does(rig: ReceptionRig):
    greeted = rig.tap(uid(1))
    rig.reception.update(frozenset(), online=True)
    later = rig.keep()
    assert later.frame > greeted.frame
    assert later.offer == greeted.offer
    assert rig.reception.act(press_on(greeted)).code == Misplaced.TOO_SOON
    rig.seconds.now += DEAD_S
    assert rig.reception.act(press_on(greeted)).code is None


@pytest.mark.parametrize("field", ["offer", "action_type"])
def test_a_press_for_another_offer_or_action_counts_nothing(rig: ReceptionRig, field: str):
    greeted = rig.tap(uid(1))
    pressed = press_on(greeted)
    others = {
        "offer": Press("another", pressed.patient_id, pressed.action_type, new_id()),
        "action_type": Press(pressed.offer, pressed.patient_id, "confirm_arrival", new_id()),
    }
    rig.seconds.now += DEAD_S
    assert rig.reception.act(others[field]).code == Misplaced.STALE
    assert rig.parts.pending() == 1


def test_a_person_who_taps_again_gets_another_offer(rig: ReceptionRig):
    first = rig.tap(uid(1))
    again = rig.tap(uid(1))
    assert again.offer != first.offer
    assert again.stay == first.stay
    rig.seconds.now += DEAD_S
    assert rig.reception.act(press_on(first)).code == Misplaced.STALE


def test_home_and_keep_of_one_person_do_nothing_to_the_next(rig: ReceptionRig):
    first = rig.tap(uid(1))
    second = rig.tap(uid(2))
    assert second.stay != first.stay
    for screen in (
        rig.reception.leave(first.stay),
        rig.reception.keep(first.stay),
        rig.reception.touch(first.stay),
        rig.reception.set_pace(first.stay, slow=True),
    ):
        assert (screen.patient, screen.frame, screen.slow) == (second.patient, second.frame, False)
    assert rig.reception.leave(second.stay).screen is ScreenKind.ATTRACT


def test_a_finger_that_meant_the_empty_screen_does_not_send_a_person_away(rig: ReceptionRig):
    nobody = rig.reception.screen()
    rig.tap(uid(1))
    assert rig.reception.leave(nobody.stay).screen is ScreenKind.JOURNEY


def test_what_the_sync_thread_has_just_written_makes_another_offer_before_it_is_reported(rig: ReceptionRig):
    greeted = rig.tap(uid(1))
    rig.seconds.now += DEAD_S
    rig.journeys.act("P1", "register", None, {})
    pressed = rig.reception.act(press_on(greeted))
    assert (pressed.code, pressed.screen.next_action) == (Misplaced.STALE, "confirm_arrival")
    assert pressed.screen.frame > greeted.frame


def test_no_button_stands_for_a_card_that_has_not_been_alone_for_a_moment(rig: ReceptionRig):
    shown = rig.reception.tap(uid(1))
    assert (shown.next_action, shown.offer) == (None, None)
    rig.seconds.now += SETTLE_S
    rig.reception.tick()
    assert rig.reception.screen().offer is not None
