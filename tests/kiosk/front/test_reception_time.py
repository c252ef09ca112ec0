"""How long a screen stays, when it hides a person's data, and a person who needs more time."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from kiosk.front.offer import DEAD_S
from kiosk.front.screen import Screen, ScreenKind
from kiosk.front.visitor import DECIDE_S, HIDE_S, INFORM_S, PATIENT
from tests.kiosk import samples
from tests.kiosk.reception_rig import ReceptionRig
from tests.kiosk.samples import uid

NOTICE_S = 20  # EN 301 549, 5.1.4: the least time that a person has to ask for more


def pass_time(rig: ReceptionRig, seconds: float) -> Screen:
    """Lets the time pass, and returns the screen then."""
    rig.seconds.now += seconds
    rig.reception.tick()
    return rig.reception.screen()


def test_a_screen_that_only_tells_goes_after_half_a_minute(rig: ReceptionRig):
    assert INFORM_S == 30
    rig.refuse("phone")
    assert pass_time(rig, INFORM_S - 1).screen is ScreenKind.REFUSED_CARD
    assert pass_time(rig, 1).screen is ScreenKind.ATTRACT


def test_a_screen_that_asks_goes_after_a_minute(rig: ReceptionRig):
    rig.tap("iso14443a:04040404040404")
    assert pass_time(rig, DECIDE_S - 1).screen is ScreenKind.UNKNOWN_CARD
    assert pass_time(rig, 1).screen is ScreenKind.ATTRACT


def test_a_result_stays_for_half_a_minute_after_its_press(rig: ReceptionRig):
    shown = rig.press(rig.press(rig.tap(uid(1))))
    assert shown.next_action is None
    assert shown.remaining_s == INFORM_S


def in_line(rig: ReceptionRig, change: int, version: int, **journey: Any) -> None:
    """The centre says that the first patient is in that state."""
    base = replace(samples.row(1).journey, visit_id="v-1", leg=1, journey_version=version, **journey)
    rig.reception.update(rig.pull(samples.row(1, change=change, journey=base)), online=True)


def test_a_choice_that_comes_late_has_its_whole_time(rig: ReceptionRig):
    """An exam ends while its patient reads, and the next one is booked: the kiosk asks for it."""
    in_line(rig, 2, 8, state="WAITING", entries=(samples.entry("B-001"),), current_queue_id="q-B-001")
    assert rig.tap(uid(1)).next_action is None
    assert pass_time(rig, INFORM_S - 5).remaining_s == pytest.approx(5)
    in_line(rig, 3, 9, state="COMPLETED", appointments=(samples.booking(1, "BLOOD", "11:00"),))
    asked = rig.reception.screen()
    assert asked.next_action == "confirm_arrival"
    assert asked.remaining_s is not None
    assert asked.remaining_s >= NOTICE_S


def test_news_about_the_person_stay_for_half_a_minute(rig: ReceptionRig):
    in_line(rig, 2, 8, state="WAITING", entries=(samples.entry("B-001"),), current_queue_id="q-B-001")
    rig.tap(uid(1))
    pass_time(rig, INFORM_S - 5)
    in_line(rig, 3, 9, state="PAYMENT", appointments=())
    assert rig.reception.screen().remaining_s == INFORM_S


def test_other_peoples_news_give_no_time(rig: ReceptionRig):
    rig.press(rig.press(rig.tap(uid(1))))
    pass_time(rig, INFORM_S - 5)
    rig.reception.update(rig.pull(samples.row(2, change=2)), online=True)
    assert rig.reception.screen().remaining_s == pytest.approx(5)


# A person who has left.


def test_the_data_of_a_person_who_has_left_are_hidden_before_the_screen_goes(rig: ReceptionRig):
    rig.tap(uid(1))
    assert pass_time(rig, HIDE_S - 1).screen is ScreenKind.JOURNEY
    hidden = pass_time(rig, 1)
    assert (hidden.screen, hidden.patient, hidden.journey, hidden.ticket) == (ScreenKind.STILL_HERE, None, None, None)
    assert (hidden.next_action, hidden.offer) == (None, None)
    assert pass_time(rig, DECIDE_S - HIDE_S).screen is ScreenKind.ATTRACT


def test_a_card_that_lies_there_keeps_the_data_on_the_screen(rig: ReceptionRig):
    rig.reception.tap(uid(1), "reader")
    rig.settle()
    assert pass_time(rig, HIDE_S + 5).screen is ScreenKind.JOURNEY
    rig.reception.clear_field("reader")
    assert pass_time(rig, HIDE_S - 1).screen is ScreenKind.JOURNEY, "the hand that lifts a card is there"
    assert pass_time(rig, 1).screen is ScreenKind.STILL_HERE


def test_a_touch_keeps_the_data_and_brings_them_back(rig: ReceptionRig):
    greeted = rig.tap(uid(1))
    pass_time(rig, HIDE_S - 1)
    rig.reception.touch(greeted.stay)
    assert pass_time(rig, HIDE_S - 1).screen is ScreenKind.JOURNEY
    hidden = pass_time(rig, 1)
    assert hidden.screen is ScreenKind.STILL_HERE
    back = rig.reception.touch(hidden.stay)
    assert (back.screen, back.patient, back.next_action) == (ScreenKind.JOURNEY, greeted.patient, "register")
    assert back.offer != greeted.offer, "its button is dead for a moment"
    assert back.remaining_s == DECIDE_S


def test_the_card_brings_the_data_back_too(rig: ReceptionRig):
    rig.tap(uid(1))
    pass_time(rig, HIDE_S)
    assert rig.tap(uid(1)).screen is ScreenKind.JOURNEY


def test_a_result_is_not_hidden(rig: ReceptionRig):
    rig.press(rig.press(rig.tap(uid(1))))
    assert pass_time(rig, INFORM_S - 1).ticket is not None


def test_a_screen_with_no_data_is_not_hidden(rig: ReceptionRig):
    rig.tap("iso14443a:04040404040404")
    assert pass_time(rig, HIDE_S + 1).screen is ScreenKind.UNKNOWN_CARD


# A person who needs more time.


def test_a_person_who_needs_more_time_has_three_times_as_much_of_all(rig: ReceptionRig):
    assert PATIENT == 3
    greeted = rig.tap(uid(1))
    slow = rig.reception.set_pace(greeted.stay, slow=True)
    assert (slow.slow, slow.remaining_s, slow.offer) == (True, 3 * DECIDE_S, greeted.offer)
    assert pass_time(rig, 3 * HIDE_S - 1).screen is ScreenKind.JOURNEY
    assert pass_time(rig, 1).screen is ScreenKind.STILL_HERE
    back = rig.reception.touch(slow.stay)
    shown = rig.press(rig.press(back))
    assert shown.remaining_s == 3 * INFORM_S
    assert rig.reception.set_pace(shown.stay, slow=False).remaining_s == INFORM_S


def test_more_time_may_be_asked_for_before_the_tap_and_ends_with_the_person(rig: ReceptionRig):
    nobody = rig.reception.screen()
    assert rig.reception.set_pace(nobody.stay, slow=True).slow
    greeted = rig.tap(uid(1))
    assert (greeted.slow, greeted.remaining_s) == (True, 3 * DECIDE_S)
    assert not rig.leave().slow
    assert not rig.tap(uid(2)).slow


def test_the_next_person_does_not_get_the_time_of_the_last(rig: ReceptionRig):
    rig.reception.set_pace(rig.tap(uid(1)).stay, slow=True)
    second = rig.tap(uid(2))
    assert (second.slow, second.remaining_s) == (False, DECIDE_S)


@pytest.mark.parametrize("slow", [False, True])
def test_the_time_to_ask_for_more_is_never_shorter_than_its_notice(rig: ReceptionRig, slow: bool):
    greeted = rig.tap(uid(1))
    rig.reception.set_pace(greeted.stay, slow)
    rig.seconds.now += DEAD_S
    assert rig.keep().remaining_s >= DECIDE_S > NOTICE_S
