"""How long to wait, and when to show that the centre is away: pure values."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.agent.backoff import CAP_S, FIRST_S, Reachability, full_jitter

FAILURES = st.one_of(st.integers(0, 40), st.integers(10**6, 10**12))


@given(FAILURES, st.integers())
def test_a_wait_lies_between_nothing_and_the_doubled_bound_and_never_above_a_minute(failures: int, seed: int):
    wait = full_jitter(failures, random.Random(seed))
    assert 0 <= wait <= min(CAP_S, FIRST_S * 2 ** min(failures, 20))


@given(FAILURES, st.integers(), st.one_of(st.none(), st.floats(0, 1e9), st.floats(-1e9, 0)))
def test_the_wait_that_the_centre_asks_for_counts_up_to_a_minute(failures: int, seed: int, retry_after_s: float | None):
    wait = full_jitter(failures, random.Random(seed), retry_after_s)
    assert wait >= min(retry_after_s or 0.0, CAP_S)
    assert 0 <= wait <= CAP_S


@pytest.mark.parametrize("failures", [1, 3, 6, 20])
def test_the_jitter_is_full_so_that_kiosks_that_failed_together_do_not_return_together(failures: int):
    bound = min(CAP_S, FIRST_S * 2**failures)
    waits = sorted(full_jitter(failures, random.Random(seed)) for seed in range(500))
    assert waits[25] < bound * 0.15
    assert waits[-25] > bound * 0.85
    assert bound * 0.4 < sum(waits) / len(waits) < bound * 0.6


def test_one_success_brings_it_online_and_two_failures_in_a_row_take_it_away():
    seen, online = Reachability(), []
    for succeeded in (False, True, False, True, False, False, False, True, True):
        seen = seen.after_call(succeeded)
        online.append(seen.online)
    assert online == [False, True, True, True, True, False, False, True, True]


@given(st.lists(st.booleans(), max_size=50))
def test_online_depends_on_the_last_two_outcomes_alone(outcomes: list[bool]):
    seen = Reachability()
    for position, succeeded in enumerate(outcomes):
        seen = seen.after_call(succeeded)
        recent = outcomes[max(0, position - 1) : position + 1]
        before = any(outcomes[: position + 1])
        assert seen.online == (before and any(recent))
