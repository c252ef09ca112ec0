"""The faults of the disk that `kiosk status` names before the next tap meets them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from kiosk.appliance.disk import disk_faults, room_faults
from sync.database_file import LOW_BYTES
from tests.kiosk import samples


@pytest.mark.disk("4m")
def test_a_full_disk_is_a_fault_until_there_is_room(small_disk: Path):
    parts = samples.enrolled(small_disk, samples.Clock(), samples.row(1))
    ballast = small_disk / "ballast"
    free = os.statvfs(small_disk)
    ballast.write_bytes(bytes(free.f_bavail * free.f_bsize))
    assert disk_faults(parts.store) == [
        "no tap can be saved: database or disk is full",
        "the disk has 0 MiB left: make room, at least 256 MiB",
    ]
    ballast.unlink()
    assert disk_faults(parts.store) == room_faults(parts.store.path)
    parts.store.close()


def test_a_disk_with_room_has_no_fault(tmp_path: Path):
    assert shutil.disk_usage(tmp_path).free > LOW_BYTES, "the tests need room"
    assert room_faults(tmp_path / "kiosk.db") == []


def test_a_place_that_is_gone_is_a_fault(tmp_path: Path):
    assert room_faults(tmp_path / "gone" / "kiosk.db") == ["the disk does not answer: No such file or directory"]
