"""A small real disk that fills up under a kiosk again and again. People are served or refused; the kiosk recovers."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest

from tests.reliability.faulty_disk.people import PEOPLE, Kiosk

ROUNDS = 150 if os.environ.get("LONG") else 12
SEED = 20260302


def fill(disk: Path, spare: int) -> Path:
    """Writes a file that leaves `spare` pages free."""
    ballast = disk / "ballast"
    free = os.statvfs(disk)
    ballast.write_bytes(bytes(max(0, free.f_bavail - spare) * free.f_bsize))
    return ballast


@pytest.mark.disk("6m")
def test_a_disk_that_fills_up_at_any_moment_costs_nothing_that_was_acknowledged(small_disk: Path):
    chance = random.Random(SEED)
    refused = starts_refused = 0
    for number in range(ROUNDS):
        place = small_disk / str(number)
        place.mkdir()
        kiosk = Kiosk(place / "kiosk.db")
        kiosk.make()
        assert kiosk.open()
        for person in range(chance.randrange(PEOPLE)):
            kiosk.serve(person)
        if restarts := chance.random() < 0.4:
            kiosk.store.close()
        ballast = fill(small_disk, chance.choice((0, 1, 3, 8, 20, 60)))
        if restarts and not kiosk.open():
            starts_refused += 1
            ballast.unlink()
            assert kiosk.open()
        for person in range(PEOPLE):
            kiosk.serve(person)
        if chance.random() < 0.3:
            kiosk.store.close()
            ballast.unlink(missing_ok=True)
            assert kiosk.open()
        ballast.unlink(missing_ok=True)
        kiosk.recovers()
        kiosk.look()
        kiosk.store.close()
        assert kiosk.open()
        kiosk.look()
        kiosk.store.close()
        assert kiosk.wrong == []
        refused += kiosk.refused
        shutil.rmtree(place)
    assert refused > ROUNDS
    assert starts_refused


@pytest.mark.disk("6m")
def test_a_kiosk_that_starts_on_a_full_disk_says_so(small_disk: Path):
    kiosk = Kiosk(small_disk / "kiosk.db")
    kiosk.make()
    ballast = fill(small_disk, 0)
    assert not kiosk.open()
    assert kiosk.wrong == []
    ballast.unlink()
    assert kiosk.open()
    kiosk.recovers()
    kiosk.look()
    kiosk.store.close()
    assert kiosk.wrong == []
