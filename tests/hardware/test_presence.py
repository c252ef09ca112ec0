"""What is a tap, what is read again, and when the field is clear: the rules for every kind of reader."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from hardware.card import Card, Technology
from hardware.presence import GAP_NS, RETRY_NS, Found, Presence
from hardware.reader import FieldClear, RefusedReason, RefusedTap, Tap
from hardware.wire import Message, Report, decode

MS = 1_000_000
ANNA = Card(Technology.ISO14443A, b"anna")
BORA = Card(Technology.ISO14443A, b"bora")
UNREADABLE = RefusedReason.UNREADABLE

# Moments, rising: at each a card is in the field, or none is (None).
moments = st.lists(st.tuples(st.integers(1, 1400), st.sampled_from([ANNA, BORA, None])), min_size=1, max_size=40).map(
    lambda steps: [(sum(step for step, _ in steps[: n + 1]) * MS, seen) for n, (_, seen) in enumerate(steps)]
)


class Field:
    """One field with a clock of its own, and what was reported of it, each with its time."""

    def __init__(self, first_look: bool = False) -> None:
        self.now_ns = 0
        self.reported: list[tuple[int, Message | None]] = []
        self._read, self._write = (os.fdopen(end, mode, 0) for end, mode in zip(os.pipe(), ("rb", "wb"), strict=True))
        os.set_blocking(self._read.fileno(), False)
        self.presence = Presence("desk", Report(self._write.fileno()), lambda: self.now_ns)
        if not first_look:
            self.presence.end_first_look()

    def look(self, at_ns: int, seen: object, read: Callable[[], Found] | None = None, has_name: bool = True) -> None:
        self.now_ns = at_ns
        if seen is None:
            self.presence.see_nothing()
        else:
            self.presence.see(seen, read or (lambda: seen), has_name)  # type: ignore[arg-type, return-value]
        lines = self._read.read(65536) or b""
        self.reported += [(at_ns, decode(line)) for line in lines.splitlines()]

    @property
    def taps(self) -> list[tuple[int, bytes | RefusedReason]]:
        return [
            (at_ns, event.uid if isinstance(event, Tap) else event.reason)
            for at_ns, event in self.reported
            if isinstance(event, Tap | RefusedTap)
        ]

    @property
    def clears(self) -> list[int]:
        return [at_ns for at_ns, event in self.reported if event == FieldClear("desk")]


def seen_at(moments: list[tuple[int, Card | None]]) -> Field:
    field = Field()
    for at_ns, seen in moments:
        field.look(at_ns, seen)
    return field


def test_a_card_counts_again_after_a_second_out_of_sight_and_not_before():
    almost, enough = GAP_NS - 1, GAP_NS
    assert len(seen_at([(0, ANNA), (5, None), (almost, ANNA)]).taps) == 1
    assert len(seen_at([(0, ANNA), (5, None), (enough, ANNA)]).taps) == 2


def test_a_card_that_answers_every_eighth_look_is_one_tap():
    looks = [(n * 60 * MS, ANNA if n % 8 == 0 else None) for n in range(200)]
    field = seen_at(looks)
    assert field.taps == [(0, b"anna")]
    assert field.clears == []


def test_another_card_counts_at_once():
    assert seen_at([(0, ANNA), (1, BORA)]).taps == [(0, b"anna"), (1, b"bora")]


def test_two_cards_in_one_wallet_that_answer_alternately_are_two_taps():
    flicker = [(n * 30 * MS, (ANNA, BORA)[n % 2]) for n in range(100)]
    assert seen_at(flicker).taps == [(0, b"anna"), (30 * MS, b"bora")]


def test_the_field_is_clear_once_after_a_second_without_any_card():
    field = seen_at([(0, ANNA), (300 * MS, BORA), (1299 * MS, None), (1300 * MS, None), (9000 * MS, None)])
    assert field.clears == [1300 * MS]


def test_a_card_of_the_first_look_is_refused_unread_and_taps_after_a_second_away():
    field = Field(first_look=True)
    field.look(0, ANNA, read=lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    field.presence.end_first_look()
    field.look(500 * MS, ANNA)
    field.look(600 * MS, BORA)
    field.look(2000 * MS, None)
    field.look(2001 * MS, ANNA)
    assert field.taps == [(0, RefusedReason.LIFT_AGAIN), (600 * MS, b"bora"), (2001 * MS, b"anna")]


def test_a_card_that_may_be_the_one_that_lay_there_taps_only_after_a_second_away():
    field = Field(first_look=True)
    field.look(0, 1, lambda: ANNA, has_name=False)
    field.presence.end_first_look()
    for mark, at_ns in enumerate(range(100 * MS, 3000 * MS, 500 * MS), 2):
        field.look(at_ns, mark, lambda: ANNA, has_name=False)
        field.look(at_ns + 10 * MS, None)
    field.look(2700 * MS, BORA)
    field.look(3610 * MS, None)
    field.look(3620 * MS, 100, lambda: ANNA, has_name=False)
    assert field.taps == [(0, RefusedReason.LIFT_AGAIN), (2700 * MS, b"bora"), (3620 * MS, b"anna")]


def test_after_a_loss_of_sight_the_next_look_is_a_first_one():
    field = Field()
    field.look(0, ANNA)
    field.presence.lose_sight()
    field.look(5, ANNA)
    assert [what for _, what in field.taps] == [b"anna", RefusedReason.LIFT_AGAIN]


def test_an_unreadable_card_is_read_again_while_it_lies_there_and_then_it_taps():
    field, answers = Field(), iter([UNREADABLE, UNREADABLE, ANNA])
    for at_ns in range(0, 2000 * MS, 50 * MS):
        field.look(at_ns, "a card", lambda: next(answers))
    assert field.taps == [(0, UNREADABLE), (3 * RETRY_NS, b"anna")]


def test_a_card_that_stays_unreadable_is_refused_once():
    field, tries = Field(), []
    for at_ns in range(0, 20_000 * MS, 50 * MS):
        field.look(at_ns, "a card", lambda: tries.append(1) or UNREADABLE)  # type: ignore[func-returns-value]
    assert field.taps == [(0, UNREADABLE)]
    assert 3 < len(tries) < 20


def test_a_card_that_was_read_and_breaks_off_on_its_way_out_is_not_refused_as_well():
    field = Field()
    field.look(0, 1, lambda: ANNA)
    field.look(300 * MS, None)
    field.look(400 * MS, 2, lambda: UNREADABLE)
    field.look(500 * MS, None)
    assert field.taps == [(0, b"anna")]


def test_an_unreadable_card_in_place_of_one_that_was_read_is_refused_once_that_is_gone():
    field = Field()
    field.look(0, ANNA)
    for at_ns in range(100 * MS, 3000 * MS, 50 * MS):
        field.look(at_ns, "a card", lambda: UNREADABLE)
    assert [what for _, what in field.taps] == [b"anna", UNREADABLE]


@given(moments)
def test_every_card_is_tapped_when_it_is_first_seen(moments: list[tuple[int, Card | None]]):
    first = {seen: at for at, seen in reversed(moments) if seen}
    taps = seen_at(moments).taps
    assert all((at, seen.uid) in taps for seen, at in first.items())


@given(moments)
def test_a_card_is_tapped_exactly_when_it_was_not_seen_for_the_gap(moments: list[tuple[int, Card | None]]):
    taps = seen_at(moments).taps
    for card in (ANNA, BORA):
        seen = [at for at, what in moments if what is card]
        expected = seen[:1] + [at for before, at in itertools.pairwise(seen) if at - before >= GAP_NS]
        assert [at for at, uid in taps if uid == card.uid] == expected


@given(moments)
def test_between_two_clear_fields_there_was_a_card_and_a_second_without_one(moments: list[tuple[int, Card | None]]):
    field = seen_at(moments)
    for before, at in itertools.pairwise(field.clears):
        seen = [when for when, what in moments if what and before < when <= at]
        assert seen
        assert at - seen[-1] >= GAP_NS
