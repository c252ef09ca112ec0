"""The screen's real size, so that a millimetre on the page is a millimetre on the glass."""

from dataclasses import dataclass
from math import hypot
from typing import Protocol

MM_PER_INCH = 25.4
SMALL_SCREEN_MM = 280.0
REACH_MM = 1220.0  # above the floor: the reach of a person in a wheelchair
LEAST_LOW_SHARE = 0.6  # the least height of the low layout, on a screen that hangs too high


class Display(Protocol):
    """The size of the screen, as `[display]` in the configuration gives it."""

    @property
    def diagonal_in(self) -> float: ...

    @property
    def resolution(self) -> tuple[int, int]: ...

    @property
    def bottom_mm(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Measures:
    """The measures of the screen, for the page. Lengths are millimetres on the glass, width and height device pixels.

    `hangul_mm` is the least height of Hangul and `low_mm` the height of the layout for a low posture, both from the
    Korean barrier-free kiosk criteria.
    """

    width: int
    height: int
    pixels_per_mm: float
    hangul_mm: float
    low_mm: float


def measure(display: Display) -> Measures:
    """Returns the measures of a screen."""
    width, height = display.resolution
    diagonal_mm = display.diagonal_in * MM_PER_INCH
    pixels_per_mm = hypot(width, height) / diagonal_mm
    tall_mm = height / pixels_per_mm
    reach_mm = max(REACH_MM - display.bottom_mm, tall_mm * LEAST_LOW_SHARE)
    return Measures(
        width,
        height,
        pixels_per_mm,
        hangul_mm=7.25 if diagonal_mm <= SMALL_SCREEN_MM else 12.0,
        low_mm=min(tall_mm, reach_mm),
    )
