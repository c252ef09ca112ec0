"""A hand at the glass: touches through the browser's devtools, as a touch screen makes them.

A finger aims at a place of the glass and not at an element: what lies there may be replaced before it comes down.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

from playwright.sync_api import CDPSession, Page

from tests.storm.story import Enter, Finger, Moment, TwoFingers

MOST_MS = 1_500  # how long a finger waits for a change of the screen
SLIDE_STEPS = 4


class Hand:
    """The fingers of one story. `chance` chooses the place on a button and the way of a slide."""

    def __init__(self, page: Page, cdp: CDPSession, chance: random.Random) -> None:
        self._page = page
        self._cdp = cdp
        self._chance = chance

    def tap(self, finger: Finger) -> bool:
        """Does the taps of one finger. Returns False where there is no such button to aim at."""
        place = self._aim(finger.aim)
        if place is None:
            return False
        self._wait(finger.pause_ms)
        self._tap_at(place, finger)
        return True

    def ambush(self, finger: Finger, meanwhile: Callable[[], None], when: Moment) -> bool:
        """Aims, lets something happen meanwhile, and does the taps. Returns False where there is nothing to aim at."""
        place = self._aim(finger.aim)
        if place is None:
            meanwhile()
            return False
        if when is Moment.BEFORE_CARD:
            self._tap_at(place, finger, meanwhile)
            return True
        self._page.evaluate("storm.watch()")
        meanwhile()
        if when is Moment.AFTER_CHANGE:
            self._page.evaluate("([ms, most]) => storm.afterChange(ms, most)", [finger.pause_ms, MOST_MS])
        else:
            self._wait(finger.pause_ms)
        self._tap_at(place, finger)
        return True

    def _tap_at(self, place: tuple[float, float], finger: Finger, meanwhile: Callable[[], None] = lambda: None) -> None:
        for number in range(finger.times):
            if number:
                self._wait(finger.gap_ms)
            self._send("touchStart", [self._point(place)])
            if not number:
                meanwhile()
            self._lift(place, finger.down_ms, finger.slide_mm)

    def two(self, fingers: TwoFingers) -> bool:
        """Does two touches that overlap."""
        places = [self._aim(fingers.aim), self._aim(fingers.other)]
        if None in places:
            return False
        first, second = (self._point(place, number) for number, place in enumerate(places) if place)
        self._send("touchStart", [first])
        self._wait(fingers.gap_ms)
        self._send("touchStart", [first, second])
        self._wait(fingers.down_ms)
        self._send("touchEnd", [second])
        self._send("touchEnd", [])
        return True

    def enter(self, key: Enter) -> bool:
        """Presses Enter on a button that has the focus; a held key repeats itself."""
        if self._aim(key.aim) is None:
            return False
        self._page.evaluate("(name) => storm.focus(name)", key.aim)
        self._wait(key.pause_ms)
        for _ in range(key.repeats):
            self._page.keyboard.down("Enter")
        self._page.keyboard.up("Enter")
        return True

    def _aim(self, name: str) -> tuple[float, float] | None:
        """A place on a button of the present screen; None where there is none on the glass."""
        box = self._page.evaluate("(name) => storm.place(name)", name)
        if box is None:
            return None
        x = box["x"] + box["width"] * self._chance.uniform(0.25, 0.75)
        y = box["y"] + box["height"] * self._chance.uniform(0.25, 0.75)
        size = self._page.viewport_size
        assert size is not None
        return (x, y) if 0 < x < size["width"] and 0 < y < size["height"] else None

    def _lift(self, place: tuple[float, float], down_ms: int, slide_mm: float) -> None:
        """Slides the finger that is down, and lifts it."""
        x, y = place
        length, angle = slide_mm * self._page.evaluate("storm.mm()"), self._chance.uniform(0, 2 * math.pi)
        for step in range(1, SLIDE_STEPS + 1) if slide_mm else ():
            self._wait(down_ms / SLIDE_STEPS)
            part = length * step / SLIDE_STEPS
            self._send("touchMove", [self._point((x + part * math.cos(angle), y + part * math.sin(angle)))])
        if not slide_mm:
            self._wait(down_ms)
        self._send("touchEnd", [])

    def _wait(self, ms: float) -> None:
        """Lets the page go on for so long."""
        if ms:
            self._page.wait_for_timeout(ms)

    def _send(self, kind: str, points: list[dict[str, Any]]) -> None:
        self._cdp.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def _point(self, place: tuple[float, float], number: int = 0) -> dict[str, Any]:
        return {"x": place[0], "y": place[1], "id": number, "radiusX": 6, "radiusY": 6, "force": 0.5}
