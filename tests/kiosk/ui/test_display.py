"""Millimetres on the glass, from the size in the configuration."""

from __future__ import annotations

import pytest

from kiosk.config import DisplaySection
from kiosk.ui.display import measure


def test_a_millimetre_follows_from_diagonal_and_resolution():
    measures = measure(DisplaySection(diagonal_in=21.5, resolution=(1080, 1920)))
    # 21.5 inches are 546.1 mm, and the diagonal of 1080 × 1920 is 2202.9 pixels.
    assert measures.pixels_per_mm == pytest.approx(2202.907 / 546.1, rel=1e-5)


@pytest.mark.parametrize(("diagonal_in", "hangul_mm"), [(10.1, 7.25), (11.02, 7.25), (11.1, 12.0), (21.5, 12.0)])
def test_hangul_may_be_smaller_on_screens_up_to_28_centimetres(diagonal_in: float, hangul_mm: float):
    assert measure(DisplaySection(diagonal_in=diagonal_in, resolution=(1280, 800))).hangul_mm == hangul_mm


def test_the_low_layout_ends_1220_mm_above_the_floor():
    assert measure(DisplaySection(bottom_mm=900.0)).low_mm == pytest.approx(320)


def test_a_screen_within_reach_uses_all_of_its_height():
    measures = measure(DisplaySection(diagonal_in=10.1, resolution=(1280, 800), bottom_mm=900.0))
    assert measures.low_mm == pytest.approx(800 / measures.pixels_per_mm)


def test_a_screen_that_hangs_too_high_keeps_a_usable_lower_part():
    measures = measure(DisplaySection(bottom_mm=1150.0))
    assert measures.low_mm == pytest.approx(0.6 * 1920 / measures.pixels_per_mm)
