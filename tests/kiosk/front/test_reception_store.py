"""A tap or a press holds the store once: another thread gets it before the tap, or after the screen is published."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from kiosk.demo.hospital import wait_for
from kiosk.front.screen import Screen, ScreenKind
from tests.kiosk.reception_rig import ReceptionRig
from tests.kiosk.samples import uid


def tap(rig: ReceptionRig, _: Screen) -> Screen:
    return rig.tap(uid(1))


def press(rig: ReceptionRig, before: Screen) -> Screen:
    return rig.press(before)


@pytest.mark.parametrize("person", [tap, press])
def test_a_thread_that_waits_comes_after_the_screen(
    rig: ReceptionRig, person: Callable[[ReceptionRig, Screen], Screen]
):
    before = rig.tap(uid(1)) if person is press else rig.reception.screen()
    waiting = rig.store._lock._queue
    shown = list[Screen | None]()
    with rig.reception.subscribe() as slot:
        slot.take(0)

        def sync() -> None:
            with rig.store.write():
                shown.append(slot.take(0))

        threads = [threading.Thread(target=run) for run in (lambda: person(rig, before), sync)]
        with rig.store.read():
            for number, thread in enumerate(threads, 1):
                thread.start()
                wait_for(lambda number=number: len(waiting) == number, "no thread waits", 30.0)
        for thread in threads:
            thread.join()
    assert shown[0] is not None
    assert shown[0].screen is ScreenKind.JOURNEY
