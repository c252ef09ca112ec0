"""Waits between tries."""

from __future__ import annotations

import random

from hardware.backoff import Backoff


def test_the_wait_doubles_up_to_its_most_and_starts_over_after_success():
    backoff = Backoff(0.1, 1.0, chance=lambda: 1.0)
    assert [backoff.next_s() for _ in range(6)] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    backoff.reset()
    assert backoff.next_s() == 0.1


def test_chance_takes_up_to_half_of_the_wait_and_never_more():
    chance = random.Random(7)
    waits = [Backoff(1.0, 1.0, chance.random).next_s() for _ in range(200)]
    assert 0.5 <= min(waits) < 0.6
    assert 0.9 < max(waits) <= 1.0
