"""Cards for the desk: a wait is shown when nobody is there, the next card is the desk's, and nobody is checked in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.front.desk_cards import LONGEST_S, RESULT_S
from kiosk.front.screen import DeskState, ScreenKind
from kiosk.front.visitor import INFORM_S
from sync.protocol import DeskAsk, DeskWord
from tests.kiosk.reception_rig import ReceptionRig
from tests.kiosk.samples import cards, uid

NEW, OTHER = 7, 8  # cards that this kiosk does not know
ASK = DeskAsk("wait-1", 60_000)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[ReceptionRig]:
    """A kiosk whose cards are all for the desk."""
    made = ReceptionRig(tmp_path, is_desk=True)
    yield made
    made.reception.stop()
    made.store.close()


def desk(rig: ReceptionRig) -> DeskState | None:
    screen = rig.reception.screen()
    assert (screen.screen is ScreenKind.DESK_CARD) is (screen.desk_card is not None)
    assert screen.desk_card is None or screen.patient is None
    return screen.desk_card


def outbox(rig: ReceptionRig) -> int:
    with rig.store.read() as db:
        return int(db.execute("select count(*) from outbox").fetchone()[0])


def words(rig: ReceptionRig) -> list[DeskWord]:
    return [word for word, *_ in rig.said]


def test_a_wait_is_shown_and_the_next_card_goes_to_the_desk_alone(rig: ReceptionRig):
    rig.reception.await_desk_card(ASK)
    assert desk(rig) is DeskState.WAITS
    assert rig.said == [(DeskWord.SHOWN, "wait-1", None, "")]
    rig.tap(uid(1))  # a card that the kiosk knows
    assert desk(rig) is DeskState.SENDS
    assert rig.said[1:] == [(DeskWord.CARD, "wait-1", cards(1)[0], "")]
    rig.reception.take_desk_answer(DeskWord.CARD, "wait-1", counts=True)
    assert desk(rig) is DeskState.TAKEN
    assert (outbox(rig), rig.asked) == (0, [])
    rig.seconds.now += RESULT_S
    rig.reception.tick()
    assert rig.reception.screen().screen is ScreenKind.ATTRACT


@pytest.mark.parametrize(("counts", "state"), [(False, DeskState.LATE), (None, DeskState.NOT_SENT)])
def test_what_has_become_of_the_card_is_said(rig: ReceptionRig, counts: bool | None, state: DeskState):
    rig.reception.await_desk_card(ASK)
    rig.tap(uid(NEW))
    rig.reception.take_desk_answer(DeskWord.CARD, "another wait", counts=True)
    assert desk(rig) is DeskState.SENDS
    rig.reception.take_desk_answer(DeskWord.CARD, "wait-1", counts)
    assert desk(rig) is state


def test_a_card_that_cannot_be_sent_is_said_to_have_arrived_nowhere(rig: ReceptionRig):
    rig.reception.await_desk_card(ASK)
    rig.can_ask = False
    rig.tap(uid(NEW))
    assert desk(rig) is DeskState.NOT_SENT


def test_the_card_after_it_is_a_patients_again(rig: ReceptionRig):
    rig.reception.await_desk_card(ASK)
    rig.tap(uid(NEW))
    rig.reception.take_desk_answer(DeskWord.CARD, "wait-1", counts=True)
    rig.reception.await_desk_card(ASK)  # a page that was made before
    assert desk(rig) is DeskState.TAKEN
    assert rig.tap(uid(1)).screen is ScreenKind.JOURNEY
    assert outbox(rig) == 1


def test_a_person_on_the_screen_is_not_disturbed_and_the_wait_follows(rig: ReceptionRig):
    rig.tap(uid(1))
    rig.reception.await_desk_card(ASK)
    assert rig.reception.screen().screen is ScreenKind.JOURNEY
    assert rig.said == []
    rig.leave()
    rig.reception.tick()
    assert desk(rig) is DeskState.WAITS
    assert words(rig) == [DeskWord.SHOWN]


def test_a_wait_that_is_over_before_the_screen_is_free_is_not_shown(rig: ReceptionRig):
    rig.tap(uid(1))
    rig.reception.await_desk_card(DeskAsk("wait-1", 1_000))
    rig.seconds.now += max(INFORM_S, LONGEST_S)
    rig.reception.tick()
    assert rig.reception.screen().screen is ScreenKind.ATTRACT
    assert rig.said == []


def test_a_wait_ends_with_its_time_whatever_the_centre_says(rig: ReceptionRig):
    rig.reception.await_desk_card(DeskAsk("wait-1", 3_600_000))
    assert rig.reception.screen().remaining_s == LONGEST_S
    rig.seconds.now += LONGEST_S
    rig.reception.tick()
    assert rig.reception.screen().screen is ScreenKind.ATTRACT
    rig.reception.await_desk_card(DeskAsk("wait-1", 3_600_000))
    assert rig.reception.screen().screen is ScreenKind.ATTRACT
    assert rig.tap(uid(1)).screen is ScreenKind.JOURNEY


def test_the_desk_ends_its_wait(rig: ReceptionRig):
    rig.reception.await_desk_card(ASK)
    rig.reception.await_desk_card(None)
    assert rig.reception.screen().screen is ScreenKind.ATTRACT
    rig.reception.await_desk_card(DeskAsk("wait-2", 60_000))
    rig.reception.take_desk_answer(DeskWord.SHOWN, "wait-2", counts=False)
    assert rig.reception.screen().screen is ScreenKind.ATTRACT


def test_a_person_at_the_kiosk_ends_the_wait(rig: ReceptionRig):
    rig.reception.await_desk_card(ASK)
    assert rig.leave().screen is ScreenKind.ATTRACT
    assert words(rig) == [DeskWord.SHOWN, DeskWord.CANCELLED]
    rig.reception.await_desk_card(ASK)
    assert rig.reception.screen().screen is ScreenKind.ATTRACT


def test_a_card_that_cannot_be_used_is_said_here_and_at_the_desk_and_another_may_come(rig: ReceptionRig):
    rig.reception.await_desk_card(ASK)
    rig.refuse("phone")
    assert (desk(rig), rig.reception.screen().reason) == (DeskState.WAITS, "phone")
    assert rig.said[-1] == (DeskWord.REFUSED, "wait-1", None, "phone")
    rig.tap(uid(NEW))
    assert desk(rig) is DeskState.SENDS


def test_a_newer_wait_follows_a_card_that_was_held_for_the_one_before(rig: ReceptionRig):
    rig.reception.await_desk_card(ASK)
    rig.reception.tap(uid(NEW))
    rig.reception.await_desk_card(DeskAsk("wait-2", 60_000))
    rig.settle()
    rig.reception.clear_field("")
    assert (rig.said[-1][0], rig.said[-1][1]) == (DeskWord.CARD, "wait-1")
    rig.reception.take_desk_answer(DeskWord.CARD, "wait-1", counts=False)
    assert desk(rig) is DeskState.LATE
    rig.seconds.now += RESULT_S
    rig.reception.tick()
    assert desk(rig) is DeskState.WAITS
    assert (rig.said[-1][0], rig.said[-1][1]) == (DeskWord.SHOWN, "wait-2")


def test_of_two_cards_in_one_wallet_none_goes_to_the_desk(rig: ReceptionRig):
    rig.reception.await_desk_card(ASK)
    rig.reception.tap(uid(NEW))
    rig.reception.tap(uid(OTHER))
    rig.settle()
    assert (desk(rig), rig.reception.screen().reason) == (DeskState.WAITS, "hold_one_card")
    assert words(rig) == [DeskWord.SHOWN, DeskWord.REFUSED]
    rig.reception.clear_field("")
    rig.tap(uid(NEW))
    assert words(rig)[-1] is DeskWord.CARD


def test_a_reader_of_the_desk_checks_nobody_in(reader: ReceptionRig):
    assert desk(reader) is DeskState.READY
    reader.tap(uid(1))
    reader.tap(uid(1))
    (first, one, card, _), (second, other, again, _) = reader.said
    assert (first, second, card, again) == (DeskWord.CARD, DeskWord.CARD, cards(1)[0], cards(1)[0])
    assert one != other
    reader.reception.take_desk_answer(DeskWord.CARD, other, counts=True)
    assert desk(reader) is DeskState.TAKEN
    reader.seconds.now += RESULT_S
    reader.reception.tick()
    assert desk(reader) is DeskState.READY
    assert reader.reception.screen().remaining_s is None
    reader.refuse("phone")
    assert (desk(reader), reader.reception.screen().reason) == (DeskState.REFUSED, "phone")
    assert outbox(reader) == 0


def test_a_reader_of_the_desk_takes_the_card_of_a_wait_too(reader: ReceptionRig):
    reader.reception.await_desk_card(ASK)
    reader.tap(uid(NEW))
    assert reader.said[-1][:2] == (DeskWord.CARD, "wait-1")
