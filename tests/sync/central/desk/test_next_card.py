"""The next card at a kiosk: one kiosk, one minute, one card, and nothing is bound before staff say so."""

from __future__ import annotations

import pytest

from sync.cards import CardHash
from sync.central.records.desk_cards import KEPT_MS, delete_old_desk_cards
from sync.ids import new_id
from sync.protocol import CallRefused, DeskWord
from tests.sync.central.centre import Centre, card
from tests.sync.central.desk.asking import Desk, DeskKiosk

NEW, OTHER = "04c0ffee99aa01", "04c0ffee99aa02"


def test_a_card_is_awaited_shown_read_and_bound(desk: Desk, kiosk: DeskKiosk, centre: Centre):
    ask_id = desk.await_card(kiosk.kiosk_id)["ask_id"]
    assert desk.look(ask_id)["state"] == "asked"
    assert kiosk.say(DeskWord.SHOWN, ask_id)
    assert desk.look(ask_id)["state"] == "shown"
    assert kiosk.hold(ask_id, NEW)
    seen = desk.look(ask_id)
    assert (seen["state"], seen["holder"], seen["usable"], seen["blocked"]) == ("read", None, True, False)
    assert seen["read_at"] == "2026-03-02T09:00:00+09:00"
    assert all(each["state"] == "active" for each in desk.person("P01")["cards"])
    bound = desk.bind(ask_id, "P01", label="green")
    assert (bound["patient_id"], bound["ended"]) == ("P01", None)
    assert [each["label"] for each in desk.person("P01")["cards"]] == ["", "green"]
    assert desk.look(ask_id)["state"] == "bound"
    assert desk.bind(ask_id, "P02")["code"] == "no_card_read"
    assert centre.rows("select 1 from desk_cards where uid_hash <> ''") == []


def test_a_repeat_of_the_binding_gets_the_same_answer(desk: Desk, kiosk: DeskKiosk):
    ask_id, action_id = desk.await_card(kiosk.kiosk_id)["ask_id"], new_id()
    kiosk.hold(ask_id, NEW)
    assert desk.bind(ask_id, "P01", action_id) == desk.bind(ask_id, "P01", action_id)


def test_one_card_counts_and_the_repeat_of_its_word_too(desk: Desk, kiosk: DeskKiosk):
    ask_id = desk.await_card(kiosk.kiosk_id)["ask_id"]
    assert kiosk.hold(ask_id, NEW)
    assert kiosk.hold(ask_id, NEW)
    assert not kiosk.hold(ask_id, OTHER)


@pytest.mark.parametrize("ends", ["bound", "discarded"])
def test_a_repeat_of_the_word_counts_after_staff_have_used_the_card(desk: Desk, kiosk: DeskKiosk, ends: str):
    ask_id, unread = desk.await_card(kiosk.kiosk_id)["ask_id"], new_id()
    kiosk.hold(ask_id, NEW)
    assert ("binding_id" in desk.bind(ask_id, "P01")) if ends == "bound" else desk.end(ask_id)
    assert kiosk.hold(ask_id, NEW), "the answer to the first one was lost"
    assert desk.look(ask_id)["state"] == ends
    assert not kiosk.hold(unread, NEW)


def test_no_card_counts_for_a_wait_that_staff_have_cancelled(desk: Desk, kiosk: DeskKiosk):
    ask_id = desk.await_card(kiosk.kiosk_id)["ask_id"]
    desk.end(ask_id)
    assert not kiosk.hold(ask_id, NEW)


def test_no_other_kiosk_and_no_later_card_counts(desk: Desk, kiosk: DeskKiosk, centre: Centre):
    ask_id, stranger = desk.await_card(kiosk.kiosk_id)["ask_id"], DeskKiosk(centre)
    assert not stranger.hold(ask_id, NEW)
    assert not stranger.say(DeskWord.CANCELLED, ask_id)
    centre.clock.now_ms += 64_000
    assert kiosk.hold(ask_id, NEW), "it was held in time, and the word came late"
    later = desk.await_card(kiosk.kiosk_id)["ask_id"]
    centre.clock.now_ms += 66_000
    assert not kiosk.hold(later, NEW)
    assert desk.look(later)["state"] == "late"


def test_a_card_that_was_read_long_ago_binds_nobody(desk: Desk, kiosk: DeskKiosk, centre: Centre):
    ask_id = desk.await_card(kiosk.kiosk_id)["ask_id"]
    kiosk.hold(ask_id, NEW)
    centre.clock.now_ms += 11 * 60_000
    assert desk.bind(ask_id, "P01")["code"] == "no_card_read"


def test_a_wrong_persons_card_is_discarded_and_stays_theirs(desk: Desk, kiosk: DeskKiosk):
    ask_id = desk.await_card(kiosk.kiosk_id)["ask_id"]
    kiosk.hold(ask_id, card(2))
    assert desk.look(ask_id)["holder"]["patient_id"] == "P02"
    assert desk.bind(ask_id, "P01")["code"] == "changed_meanwhile"
    assert desk.end(ask_id)["state"] == "discarded"
    assert desk.end(ask_id)["state"] == "discarded"
    assert [each["state"] for each in desk.person("P02")["cards"]] == ["active"]
    assert desk.person("P02")["journey_state"] == "UNREGISTERED"


def test_a_card_of_another_is_taken_over_where_staff_have_seen_whose_it_is(desk: Desk, kiosk: DeskKiosk):
    ask_id = desk.await_card(kiosk.kiosk_id)["ask_id"]
    kiosk.hold(ask_id, card(2))
    assert desk.bind(ask_id, "P01", seen_holder="P02")["patient_id"] == "P01"
    assert [each["state"] for each in desk.person("P02")["cards"]] == ["ended"]


@pytest.mark.parametrize(("block", "state"), [(False, "ended"), (True, "blocked")])
def test_a_card_replaces_another_in_one_action(desk: Desk, kiosk: DeskKiosk, block: bool, state: str):
    (old,) = desk.person("P01")["cards"]
    ask_id = desk.await_card(kiosk.kiosk_id)["ask_id"]
    kiosk.hold(ask_id, NEW)
    done = desk.bind(ask_id, "P01", replaces=old["binding_id"], block=block, reason="lost")
    assert (done["ended"], done["blocked"]) == (old["binding_id"], block)
    assert [each["state"] for each in desk.person("P01")["cards"]] == [state, "active"]


def test_what_cannot_be_replaced_changes_nothing(desk: Desk, kiosk: DeskKiosk):
    (own,), (others,) = desk.person("P01")["cards"], desk.person("P02")["cards"]
    ask_id = desk.await_card(kiosk.kiosk_id)["ask_id"]
    kiosk.hold(ask_id, card(1))
    seen = {"seen_holder": "P01"}
    assert desk.bind(ask_id, "P01", replaces=own["binding_id"], **seen)["code"] == "not_allowed"
    assert desk.bind(ask_id, "P01", replaces=others["binding_id"], **seen)["code"] == "not_found"
    assert desk.bind(ask_id, "nobody")["code"] == "unknown_patient"
    assert [each["state"] for each in desk.person("P01")["cards"]] == ["active"]


def test_a_blocked_card_is_said_to_be_blocked_and_binds_nobody(desk: Desk, kiosk: DeskKiosk):
    (old,) = desk.person("P01")["cards"]
    first = desk.await_card(kiosk.kiosk_id)["ask_id"]
    kiosk.hold(first, NEW)
    desk.bind(first, "P01", replaces=old["binding_id"], block=True)
    again = desk.await_card(kiosk.kiosk_id)["ask_id"]
    kiosk.hold(again, card(1))
    assert desk.look(again)["blocked"]
    assert desk.bind(again, "P01")["code"] == "card_blocked"


def test_a_kiosk_that_does_not_call_is_said_to_be_away_at_once(desk: Desk, kiosk: DeskKiosk, centre: Centre):
    centre.clock.now_ms += 4 * 60_000
    assert desk.await_card(kiosk.kiosk_id)["code"] == "kiosk_away"
    kiosk.call()
    assert desk.await_card(kiosk.kiosk_id)["ask_id"]
    centre.do("kiosk-revoke", kiosk_id=kiosk.kiosk_id)
    assert desk.await_card(kiosk.kiosk_id)["code"] == "not_found"


def test_two_at_the_desk_await_no_card_at_one_kiosk(desk: Desk, other_desk: Desk, kiosk: DeskKiosk):
    first = desk.await_card(kiosk.kiosk_id)["ask_id"]
    assert other_desk.await_card(kiosk.kiosk_id)["code"] == "kiosk_taken"
    second = desk.await_card(kiosk.kiosk_id)["ask_id"]
    assert desk.look(first)["state"] == "cancelled"
    assert not kiosk.hold(first, NEW)
    assert desk.end(second)["state"] == "cancelled"
    assert other_desk.await_card(kiosk.kiosk_id)["ask_id"]


def test_a_person_at_the_kiosk_ends_the_wait(desk: Desk, kiosk: DeskKiosk):
    ask_id = desk.await_card(kiosk.kiosk_id)["ask_id"]
    assert kiosk.say(DeskWord.CANCELLED, ask_id)
    assert desk.look(ask_id)["state"] == "cancelled_at_kiosk"
    assert not kiosk.hold(ask_id, NEW)


def test_a_card_that_cannot_be_used_is_said_and_another_one_may_come(desk: Desk, kiosk: DeskKiosk):
    ask_id = desk.await_card(kiosk.kiosk_id)["ask_id"]
    assert kiosk.say(DeskWord.REFUSED, ask_id, reason="phone")
    assert (desk.look(ask_id)["refused"], desk.look(ask_id)["state"]) == ("phone", "asked")
    assert kiosk.hold(ask_id, NEW)
    assert (desk.look(ask_id)["refused"], desk.look(ask_id)["state"]) == ("", "read")


def test_a_card_that_nobody_awaits_counts_at_a_kiosk_in_desk_mode_alone(desk: Desk, kiosk: DeskKiosk, centre: Centre):
    assert not kiosk.hold(new_id(), NEW)
    kiosk.say(DeskWord.READER)
    read = new_id()
    assert kiosk.hold(read, NEW)
    assert desk.bind(read, "P01")["patient_id"] == "P01"
    centre.clock.now_ms += 31 * 60_000
    assert not kiosk.hold(new_id(), NEW)


def test_a_kiosk_in_desk_mode_reads_no_more_cards_than_a_reader_can(kiosk: DeskKiosk):
    kiosk.say(DeskWord.READER)
    assert all(kiosk.hold(new_id(), f"04c0ffee99bb{number:02x}") for number in range(20))
    refused = kiosk.tell(DeskWord.CARD, new_id(), card=kiosk.hashed(NEW))
    assert isinstance(refused, CallRefused)
    assert refused.code == "try_later"


@pytest.mark.parametrize(
    "more",
    [
        {"ask_id": "no uuid", "card": CardHash("k", "h")},
        {"card": None},
        {"card": CardHash("k" * 129, "h")},
        {"card": CardHash("", "")},
        {"card": CardHash("k", "h"), "reason": "r" * 65},
    ],
)
def test_a_word_that_is_not_whole_is_refused(kiosk: DeskKiosk, more: dict):
    refused = kiosk.tell(DeskWord.CARD, **{"ask_id": new_id(), **more})
    assert isinstance(refused, CallRefused)
    assert refused.code == "malformed"


def test_waits_of_the_day_before_are_deleted(desk: Desk, kiosk: DeskKiosk, centre: Centre):
    desk.await_card(kiosk.kiosk_id)
    centre.clock.now_ms += KEPT_MS
    kiosk.call()
    latest = desk.await_card(kiosk.kiosk_id)["ask_id"]
    centre.clock.now_ms += 1
    with centre.store.write() as db:
        delete_old_desk_cards(db, centre.clock())
    assert [row["ask_id"] for row in centre.rows("select ask_id from desk_cards")] == [latest]
