"""The faults of the disk that `kiosk status` names before the next tap meets them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from kiosk.appliance.disk import disk_faults, room_faults
from sync.database_file import LOW_BYTES
from tests.kiosk import samples


@pytest.mark.disk("4m")
def test_a_disk_on_which_little_room_is_left_is_a_fault(small_disk: Path):
    parts = samples.enrolled(small_disk, samples.Clock(), samples.row(1))
    (fault,) = disk_faults(parts.store)
    assert re.fullmatch(r"the disk has \d MiB left: make room, at least 256 MiB", fault)
    parts.store.close()


def test_a_disk_with_room_has_no_fault(tmp_path: Path):
    assert shutil.disk_usage(tmp_path).free > LOW_BYTES, "the tests need room"
    assert room_faults(tmp_path / "kiosk.db") == []


def test_a_place_that_is_gone_is_a_fault(tmp_path: Path):
    assert room_faults(tmp_path / "gone" / "kiosk.db") == ["the disk does not answer: No such file or directory"]
