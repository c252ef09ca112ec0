"""A kiosk names no more cards by its actions than a reader can read in the time."""

from __future__ import annotations

import pytest

from sync.central.kiosks.lookup import MOST_A_MINUTE
from sync.ids import new_id, provisional_id
from sync.protocol import CallRefused, EndCode, Intent, PushAnswer
from tests.sync.central.two_stores.acts import chained, intent_of, push
from tests.sync.central.wire import Centre, Kiosk, cards_of

HOURS = 60


def guesses(kiosk: Kiosk, number: int, first: int = 1, **said: object) -> list[object]:
    """Actions with cards that a kiosk makes up, one a card."""
    return [guess(kiosk, f"{place:04}", seq=first + place, **said) for place in range(number)]


def guess(kiosk: Kiosk, number: str, **said: object) -> Intent:
    ids = {"action_id": new_id(), "visit_id": new_id(), "queue_id": new_id()}
    fields = {"patient_id": provisional_id(), "provisional": True, "card": cards_of(number)[0], **ids}
    return intent_of(kiosk, **(fields | said))


def counted(centre: Centre, kiosk: Kiosk) -> None:
    """Nothing is saved up: the kiosk has just named what a reader could have read."""
    with centre.store.write() as db:
        db.execute("insert into named_cards values ('kiosk-1', :now)", {"now": centre.time()})


def test_a_batch_with_more_cards_than_a_reader_can_read_is_refused_and_stores_nothing(
    centre: Centre, kiosk: Kiosk, caplog: pytest.LogCaptureFixture
):
    counted(centre, kiosk)
    answer = push(centre, kiosk, chained(guesses(kiosk, MOST_A_MINUTE + 1)))
    assert isinstance(answer, CallRefused)
    assert (answer.code, answer.retry_after_s) == (EndCode.TRY_LATER, 3.0)
    assert answer.error == "too many cards; wait a minute"
    assert centre.rows("select code, detail from exceptions") == [{"code": "many_cards", "detail": '{"cards":21}'}]
    assert caplog.messages == ["kiosk kiosk-1 names more cards than a reader can read"]
    assert centre.rows("select * from verdicts") == []
    again = push(centre, kiosk, chained(guesses(kiosk, 100)))
    assert isinstance(again, CallRefused)
    assert again.retry_after_s == 60.0, "it comes again once a minute at the least"
    assert centre.open_cases() == ["many_cards"]


def test_as_many_cards_as_a_reader_can_read_pass_and_then_more_with_the_time(centre: Centre, kiosk: Kiosk):
    counted(centre, kiosk)
    sent = chained(guesses(kiosk, MOST_A_MINUTE))
    assert isinstance(push(centre, kiosk, sent), PushAnswer)
    more = chained([guess(kiosk, "more", seq=MOST_A_MINUTE + 1)], sent[-1].hash)
    assert isinstance(push(centre, kiosk, more), CallRefused)
    centre.time.pass_minutes(0.04)
    early = push(centre, kiosk, more)
    assert isinstance(early, CallRefused)
    assert early.retry_after_s == 1.0, "no kiosk comes again more often than once a second"
    centre.time.pass_minutes(0.01)
    assert isinstance(push(centre, kiosk, more), PushAnswer)


def test_a_kiosk_that_was_offline_sends_the_cards_of_hours_at_once(centre: Centre, kiosk: Kiosk):
    counted(centre, kiosk)
    centre.time.pass_minutes(2 * HOURS)
    assert isinstance(push(centre, kiosk, chained(guesses(kiosk, 100))), PushAnswer)


def test_a_year_saves_no_more_than_twelve_hours(centre: Centre, kiosk: Kiosk):
    centre.time.pass_minutes(365 * 24 * HOURS)
    assert isinstance(push(centre, kiosk, chained(guesses(kiosk, 1))), PushAnswer)
    (row,) = centre.rows("select until_ms from named_cards")
    assert row["until_ms"] == centre.time() - 12 * HOURS * 60_000 + 3_000


def test_a_kiosk_that_was_just_enrolled_has_saved_nothing(centre: Centre, kiosk: Kiosk):
    assert isinstance(push(centre, kiosk, chained(guesses(kiosk, MOST_A_MINUTE + 1))), CallRefused)


def test_a_card_of_another_counts_beside_a_patient_too_and_one_card_counts_once(centre: Centre, kiosk: Kiosk):
    counted(centre, kiosk)
    named = {"patient_id": "P1", "provisional": False}
    assert isinstance(push(centre, kiosk, chained(guesses(kiosk, MOST_A_MINUTE + 1, **named))), CallRefused)
    same = guesses(kiosk, 60, **named, card=cards_of("P3")[0])
    assert isinstance(push(centre, kiosk, chained(same)), PushAnswer)


def test_cards_count_behind_actions_that_name_none(centre: Centre, kiosk: Kiosk):
    counted(centre, kiosk)
    broken: list[object] = [{"seq": 1}]
    without = guesses(kiosk, 1, first=2, card=None)
    cards = guesses(kiosk, MOST_A_MINUTE + 1, first=3)
    assert isinstance(push(centre, kiosk, chained([*broken, *without, *cards])), CallRefused)


def test_the_cards_of_the_patients_whom_they_name_and_bodies_that_say_nothing_count_not(centre: Centre, kiosk: Kiosk):
    own = guesses(kiosk, 20, patient_id="P1", provisional=False, card=cards_of("P1")[0])
    without = guesses(kiosk, 20, first=21, card=None)
    broken: list[object] = [{"seq": 41 + place, "card": {"key_id": "k1"}} for place in range(20)]
    assert isinstance(push(centre, kiosk, chained([*own, *without, *broken])), PushAnswer)
    assert centre.rows("select * from named_cards") == []


def test_an_action_that_was_judged_before_counts_no_more(centre: Centre, kiosk: Kiosk):
    actions = guesses(kiosk, 5)
    sent = chained(actions)
    assert isinstance(push(centre, kiosk, sent), PushAnswer)
    before = centre.rows("select until_ms from named_cards")
    again = [guess(kiosk, f"{place:04}", seq=6 + place, action_id=each.action_id) for place, each in enumerate(actions)]
    assert isinstance(push(centre, kiosk, chained(again, sent[-1].hash)), PushAnswer)
    assert centre.rows("select until_ms from named_cards") == before
