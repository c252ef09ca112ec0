"""The medium beneath a power cut: it keeps synced writes, and no other write for certain."""

from __future__ import annotations

import random

import pytest

from tests.reliability.powercut.journal import Event, Kind
from tests.reliability.powercut.medium import Disk, Medium

TRIES = 300
EIO = 5


def created(file: int, name: str) -> Event:
    return Event(Kind.CREATED, 0, file, 0, name.encode())


def written(file: int, offset: int, data: bytes) -> Event:
    return Event(Kind.WRITTEN, 0, file, offset, data)


def synced(file: int, error: int = 0) -> Event:
    return Event(Kind.SYNCED, error, file, 0, b"")


def truncated(file: int, size: int) -> Event:
    return Event(Kind.TRUNCATED, 0, file, size, b"")


DIRECTORY_SYNCED = Event(Kind.DIRECTORY_SYNCED, 0, 0, 0, b"")


def found(*events: Event, medium: Medium | None = None) -> list[dict[str, bytes]]:
    """Many possible contents after these events."""
    disk = Disk(medium or Medium(), "seed")
    for event in events:
        disk.apply(event)
    chance = random.Random(1)
    return [disk.found(chance) for _ in range(TRIES)]


SAFE = (created(1, "a"), DIRECTORY_SYNCED, written(1, 0, b"s" * 2048), synced(1))


@pytest.mark.parametrize("medium", [Medium(512), Medium(4096)])
def test_what_was_synced_is_always_found(medium: Medium):
    assert all(files == {"a": b"s" * 2048} for files in found(*SAFE, medium=medium))


def test_a_synced_file_whose_entry_was_not_synced_may_not_be_there():
    times = [set(files) for files in found(created(1, "a"), written(1, 0, b"x"), synced(1))]
    assert set() in times
    assert {"a"} in times


def test_each_sector_that_was_not_synced_is_old_or_new_or_both_in_part():
    seen = {files["a"] for files in found(*SAFE, written(1, 0, b"n" * 2048))}
    assert {b"s" * 2048, b"n" * 2048} <= seen
    sectors = [[content[n : n + 512] for n in range(0, 2048, 512)] for content in seen]
    assert [b"n" * 512, b"s" * 512, b"s" * 512, b"n" * 512] in sectors  # any order
    assert any(set(sector) == {*b"ns"} for each in sectors for sector in each)  # torn


def test_a_torn_write_leaves_its_neighbours_alone():
    later = found(*SAFE, written(1, 700, b"n" * 100))
    assert len({files["a"] for files in later}) > 2
    assert {files["a"][:700] + files["a"][800:] for files in later} == {b"s" * 1948}


def test_on_a_careless_medium_a_torn_write_takes_its_sector_with_it():
    later = found(*SAFE, written(1, 700, b"n" * 100), medium=Medium(careless=True))
    assert any(files["a"][512:700] != b"s" * 188 for files in later)
    assert {files["a"][:512] + files["a"][1024:] for files in later} == {b"s" * 1536}


def test_a_file_that_grew_may_be_long_and_not_yet_written():
    seen = {files["a"] for files in found(*SAFE, written(1, 2048, b"n" * 512))}
    assert {b"s" * 2048, b"s" * 2048 + b"n" * 512, b"s" * 2048 + bytes(512)} <= seen


def test_a_truncation_counts_from_the_sync_on():
    assert {len(files["a"]) for files in found(*SAFE, truncated(1, 0))} == {0, 2048}
    assert {len(files["a"]) for files in found(*SAFE, truncated(1, 0), synced(1))} == {0}
    assert {len(files["a"]) for files in found(*SAFE, truncated(1, 4096), synced(1))} == {4096}


def test_a_failed_sync_promises_nothing_and_neither_does_the_next_one():
    failed = (*SAFE, written(1, 0, b"n" * 2048), synced(1, EIO))
    disks = [Disk(Medium(), f"{seed}") for seed in range(50)]
    for disk in disks:
        for event in (*failed, synced(1)):
            disk.apply(event)
    assert len({disk.found(random.Random(1))["a"] for disk in disks}) > 10
    again = (*failed, written(1, 0, b"n" * 2048), synced(1))
    assert all(files["a"] == b"n" * 2048 for files in found(*again))


def test_entries_come_and_go_with_the_sync_of_their_directory():
    renamed = Event(Kind.RENAMED, 0, 0, 0, b"a\0b")
    assert {*map(tuple, found(*SAFE, renamed))} == {("a",), ("b",)}
    assert {*map(tuple, found(*SAFE, renamed, DIRECTORY_SYNCED))} == {("b",)}
    gone = Event(Kind.UNLINKED, 0, 0, 0, b"a")
    assert {*map(tuple, found(*SAFE, gone))} == {("a",), ()}
    assert {*map(tuple, found(*SAFE, gone, DIRECTORY_SYNCED))} == {()}


def test_a_file_created_again_may_leave_the_old_one_or_none():
    later = found(*SAFE, Event(Kind.UNLINKED, 0, 0, 0, b"a"), created(2, "a"), written(2, 0, b"n"), synced(2))
    assert {files.get("a") for files in later} == {b"s" * 2048, b"n", None}


def test_the_running_system_reads_everything():
    disk = Disk(Medium(), "seed")
    for event in (*SAFE, written(1, 2000, b"n" * 100), truncated(1, 2050), created(2, "b")):
        disk.apply(event)
    assert disk.now() == {"a": b"s" * 2000 + b"n" * 50, "b": b""}
