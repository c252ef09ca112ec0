"""One gesture: which card the screen is about, in every order of the cards."""

from __future__ import annotations

import itertools

import pytest

from kiosk.front.gesture import NO_GESTURE, Effect, Gesture, HeldCard, Rank

PHONE, BANK_CARD = HeldCard(Rank.REFUSED, "phone"), HeldCard(Rank.REFUSED, "bank_card")
STRANGE, STRANGER = HeldCard(Rank.UNKNOWN, "hash 1"), HeldCard(Rank.UNKNOWN, "hash 2")
ANNA, BORA = HeldCard(Rank.KNOWN, "P1"), HeldCard(Rank.KNOWN, "P2")


def effects(*cards: HeldCard) -> list[Effect]:
    gesture, found = NO_GESTURE, []
    for card in cards:
        gesture, effect = gesture.with_card("reader", card)
        found.append(effect)
    return found


@pytest.mark.parametrize("other", [PHONE, STRANGE], ids=["refused", "unknown"])
def test_the_known_card_wins_whichever_comes_first(other: HeldCard):
    assert effects(ANNA, other) == [Effect.SHOW, Effect.KEEP]
    assert effects(other, ANNA) == [Effect.SHOW, Effect.SHOW]


def test_an_unknown_card_wins_over_one_that_cannot_be_used():
    assert effects(STRANGE, PHONE) == [Effect.SHOW, Effect.KEEP]
    assert effects(PHONE, STRANGE) == [Effect.SHOW, Effect.SHOW]


@pytest.mark.parametrize("two", [(ANNA, BORA), (STRANGE, STRANGER)], ids=["known", "unknown"])
def test_two_cards_of_one_rank_are_no_choice_and_stay_none(two: tuple[HeldCard, HeldCard]):
    assert effects(*two) == [Effect.SHOW, Effect.HOLD_ONE]
    for later in (*two, HeldCard(two[0].rank, "a third"), PHONE, HeldCard(Rank.REFUSED, "bank_card")):
        assert effects(*two, later)[2] is Effect.KEEP


def test_a_known_card_wins_over_two_unknown_ones_in_every_order():
    for cards in itertools.permutations((STRANGE, STRANGER, ANNA)):
        gesture = NO_GESTURE
        for card in cards:
            gesture, _ = gesture.with_card("reader", card)
        assert (gesture.best, gesture.ambiguous) == (ANNA, False)


@pytest.mark.parametrize("found", [STRANGE, STRANGER])
def test_of_two_unknown_cards_the_one_that_turns_out_to_be_a_patients_takes_the_screen(found: HeldCard):
    gesture, _ = NO_GESTURE.with_card("reader", STRANGE)
    gesture, _ = gesture.with_card("reader", STRANGER)
    gesture, effect = gesture.with_found(found.holder, "P1")
    assert (gesture.best, gesture.ambiguous, effect) == (ANNA, False, Effect.SHOW)
    (other,) = {STRANGE, STRANGER} - {found}
    assert gesture.with_found(other.holder, "P2")[1] is Effect.HOLD_ONE


def test_the_same_card_again_changes_nothing():
    for card in (ANNA, STRANGE, PHONE):
        assert effects(card, card) == [Effect.SHOW, Effect.KEEP]


def test_a_second_reason_for_a_refusal_is_shown():
    assert effects(PHONE, BANK_CARD) == [Effect.SHOW, Effect.SHOW]


def test_of_any_three_cards_the_screen_ends_with_the_best_whatever_their_order():
    for cards in itertools.permutations((PHONE, STRANGE, ANNA)):
        gesture = NO_GESTURE
        for card in cards:
            gesture, _ = gesture.with_card("reader", card)
        assert (gesture.best, gesture.ambiguous) == (ANNA, False)


def test_a_gesture_ends_with_the_last_clear_field():
    gesture, _ = NO_GESTURE.with_card("left", ANNA)
    gesture, _ = gesture.with_card("right", ANNA)
    assert gesture.without_cards("left") != NO_GESTURE
    ended = gesture.without_cards("left").without_cards("right")
    assert ended == NO_GESTURE
    assert ended.with_card("left", BORA)[1] is Effect.SHOW


def test_a_clear_field_without_a_card_changes_nothing():
    gesture, _ = NO_GESTURE.with_card("left", ANNA)
    assert gesture.without_cards("right") == gesture
    assert NO_GESTURE.without_cards("left") == NO_GESTURE


def test_the_next_card_takes_the_screen_after_its_person_has_left():
    gesture, _ = NO_GESTURE.with_card("reader", ANNA)
    after, effect = gesture.without_person().with_card("reader", BORA)
    assert (after.best, effect) == (BORA, Effect.SHOW)


def test_a_card_that_lay_there_before_keeps_no_gesture_from_its_end():
    gesture, effect = NO_GESTURE.with_card("slot", PHONE, lay_there=True)
    assert effect is Effect.SHOW
    gesture, effect = gesture.with_card("reader", ANNA)
    assert effect is Effect.SHOW
    ended = gesture.without_cards("reader")
    assert ended.readers == {"slot"}
    assert ended.with_card("reader", BORA)[1] is Effect.SHOW
    assert ended.without_cards("slot") == NO_GESTURE


def test_a_card_whose_person_has_left_keeps_no_later_gesture_from_its_end():
    gesture, _ = NO_GESTURE.with_card("forgotten", ANNA)
    gesture, _ = gesture.without_person().with_card("reader", BORA)
    assert gesture.readers == {"forgotten", "reader"}
    assert gesture.without_cards("reader").with_card("reader", STRANGE)[1] is Effect.SHOW


def test_a_card_of_the_gesture_that_lies_through_a_restart_of_its_reader_is_still_of_the_gesture():
    gesture, _ = NO_GESTURE.with_card("reader", ANNA)
    gesture, effect = gesture.with_card("reader", PHONE, lay_there=True)
    assert (gesture.fields, effect) == ({"reader"}, Effect.KEEP)
    assert gesture.with_card("reader", BORA)[1] is Effect.HOLD_ONE


def test_an_unknown_card_that_turns_out_to_be_a_patients_takes_the_screen():
    gesture, _ = NO_GESTURE.with_card("reader", STRANGE)
    found, effect = gesture.with_found(STRANGE.holder, "P1")
    assert (found.best, effect) == (ANNA, Effect.SHOW)
    assert found.with_card("reader", BORA)[1] is Effect.HOLD_ONE


def test_an_unknown_card_that_turns_out_to_be_another_patients_leaves_no_choice():
    gesture, _ = NO_GESTURE.with_card("reader", STRANGE)
    gesture, _ = gesture.with_card("reader", BORA)
    assert gesture.with_found(STRANGE.holder, "P1")[1] is Effect.HOLD_ONE
    assert gesture.with_found(STRANGE.holder, "P2")[1] is Effect.KEEP


def test_a_card_of_an_earlier_gesture_has_no_effect():
    gesture: Gesture = NO_GESTURE.with_card("reader", BORA)[0]
    assert gesture.with_found(STRANGE.holder, "P1") == (gesture, Effect.KEEP)
