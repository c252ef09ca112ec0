"""How long to wait, and when to show that the centre is away: pure values."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.agent.backoff import CAP_S, FIRST_S, full_jitter, most_failures
from sync.agent.reachability import RETRY_WITHIN_S

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


def test_a_kiosk_in_doubt_waits_less():
    assert max(full_jitter(9, random.Random(seed), longest_s=2.0) for seed in range(200)) <= 2.0
    assert full_jitter(9, random.Random(1), retry_after_s=30.0, longest_s=2.0) == 30.0


def test_the_many_calls_of_a_kiosk_in_doubt_do_not_make_the_waits_after_it_long():
    assert FIRST_S * 2 ** most_failures(RETRY_WITHIN_S) == RETRY_WITHIN_S
    assert FIRST_S * 2 ** most_failures(CAP_S) >= CAP_S
