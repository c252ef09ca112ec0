"""A tap or a press holds the store once: another thread gets it before the tap, or after the screen is published."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from kiosk.demo.hospital import wait_for
from kiosk.front.screen import Screen, ScreenKind
from sync.ids import new_id
from tests.kiosk.house import House
from tests.kiosk.samples import uid


def tap(house: House) -> Screen:
    return house.reception.tap(uid(1))


def press(house: House) -> Screen:
    return house.reception.act("register", "P1", new_id()).screen


@pytest.mark.parametrize("person", [tap, press])
def test_who_waits_behind_a_person_comes_after_their_screen(house: House, person: Callable[[House], Screen]):
    if person is press:
        tap(house)
    waiting = house.store._lock._queue
    shown = list[Screen | None]()
    with house.reception.subscribe() as slot:
        slot.take(0)

        def sync() -> None:
            with house.store.write():
                shown.append(slot.take(0))

        threads = [threading.Thread(target=run) for run in (lambda: person(house), sync)]
        with house.store.read():
            for number, thread in enumerate(threads, 1):
                thread.start()
                wait_for(lambda number=number: len(waiting) == number, "no thread waits", 10.0)
        for thread in threads:
            thread.join()
    assert shown[0] is not None
    assert shown[0].screen is ScreenKind.JOURNEY
