"""How many verdicts a transaction takes."""

from __future__ import annotations

import pytest

from kiosk.journey.portion import PORTION_MS, VERDICTS_AT_FIRST, next_portion
from sync.protocol import MAX_BATCH


@pytest.mark.parametrize(
    ("at_once", "verdicts", "took_ms", "expected"),
    [
        (10, 10, 0, 20),
        (10, 10, PORTION_MS // 2, 20),
        (10, 10, PORTION_MS // 2 + 1, 10),
        (10, 3, 0, 10),  # a few verdicts say nothing of many
        (80, 80, 1, MAX_BATCH),
        (80, 80, 2 * PORTION_MS, 40),
        (80, 20, 2 * PORTION_MS, VERDICTS_AT_FIRST),
        (MAX_BATCH, MAX_BATCH, 10_000, VERDICTS_AT_FIRST),
    ],
)
def test_the_number_follows_the_disk(at_once: int, verdicts: int, took_ms: int, expected: int):
    assert next_portion(at_once, verdicts, took_ms) == expected
