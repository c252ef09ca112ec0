"""A card that flickers is one tap."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from hardware.debounce import GAP_NS, Debounce

MS = 1_000_000

# Moments, rising: at each a card is in the field, or none is (None).
moments = st.lists(
    st.tuples(st.integers(0, 400), st.sampled_from(["anna", "bora", None])), min_size=1, max_size=40
).map(lambda steps: [(sum(step for step, _ in steps[: n + 1]) * MS, seen) for n, (_, seen) in enumerate(steps)])


def taps(moments: list[tuple[int, str | None]]) -> list[tuple[int, str]]:
    """Feeds the moments to a debounce. Returns the taps among them."""
    debounce: Debounce[str] = Debounce()
    found = []
    for at_ns, seen in moments:
        if seen is None:
            debounce.emptied(at_ns)
        elif debounce.arrived(seen, at_ns):
            found.append((at_ns, seen))
    return found


def test_a_card_counts_again_after_the_gap_and_not_before():
    almost, enough = GAP_NS - 1, GAP_NS
    assert len(taps([(0, "anna"), (5, None), (5 + almost, "anna")])) == 1
    assert len(taps([(0, "anna"), (5, None), (5 + enough, "anna")])) == 2


def test_the_gap_is_counted_from_the_last_time_the_card_was_seen():
    assert len(taps([(0, "anna"), (900 * MS, "anna"), (901 * MS, None), (1000 * MS, "anna")])) == 1


def test_another_card_counts_at_once():
    assert taps([(0, "anna"), (1, "bora")]) == [(0, "anna"), (1, "bora")]


def test_two_cards_in_one_wallet_that_answer_alternately_are_two_taps():
    flicker = [(n * 30 * MS, ("anna", "bora")[n % 2]) for n in range(100)]
    assert taps(flicker) == flicker[:2]


@given(moments)
def test_every_card_is_tapped_when_it_is_first_seen(moments: list[tuple[int, str | None]]):
    first = {seen: at for at, seen in reversed(moments) if seen}
    found = taps(moments)
    assert all((at, seen) in found for seen, at in first.items())


@given(moments)
def test_between_two_taps_of_a_card_it_was_away_for_the_gap(moments: list[tuple[int, str | None]]):
    found = taps(moments)
    for card in ("anna", "bora"):
        times = [at for at, seen in found if seen == card]
        for before, after in itertools.pairwise(times):
            assert longest_absence(moments, card, before, after) >= GAP_NS


@given(moments)
def test_a_card_that_was_away_for_the_gap_is_tapped_again(moments: list[tuple[int, str | None]]):
    found = taps(moments)
    for index, (at, seen) in enumerate(moments):
        if seen and index:
            seen_before = [n for n in range(index) if moments[n][1] == seen]
            if seen_before and seen_before[-1] < index - 1 and at - moments[seen_before[-1] + 1][0] >= GAP_NS:
                assert (at, seen) in found


def longest_absence(moments: list[tuple[int, str | None]], card: str, start: int, end: int) -> int:
    """How long the card was away at most, from the moment that showed it missing to the one that showed it again."""
    longest, left_at = 0, None
    for at, seen in moments:
        if seen == card:
            if left_at is not None and start < at <= end:
                longest = max(longest, at - left_at)
            left_at = None
        elif left_at is None and at >= start:
            left_at = at
    return longest
