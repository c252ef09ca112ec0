"""A database that was restored from a backup is distinguished from one that stayed in use."""

import shutil
from pathlib import Path

import pytest

from sync.central.maintenance.incarnation import marker_path, open_incarnation, update_marker
from sync.central.store.sqlite import SqliteStore


class House:
    """A database that is opened, changed and closed, and a plain copy of its file."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "centre.db"
        self.backup = directory / "backup.db"

    def live(self, changes: int = 0, *, marks: bool = True, copies: bool = False) -> str:
        """One run of the service; `copies` makes the backup at its start. Returns its incarnation."""
        store = SqliteStore(f"sqlite:///{self.path}")
        incarnation = open_incarnation(store)
        if copies:
            self.copy()
        for _ in range(changes):
            with store.write() as db:
                db.next_change()
        if marks:
            update_marker(store)
        store.close()
        return incarnation

    def copy(self) -> None:
        for suffix in ("", "-wal"):
            source = self.path.with_name(self.path.name + suffix)
            if source.exists():
                shutil.copy(source, self.backup.with_name(self.backup.name + suffix))

    def restore(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
            source = self.backup.with_name(self.backup.name + suffix)
            if source.exists():
                shutil.copy(source, self.path.with_name(self.path.name + suffix))


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_a_database_that_was_used_all_along_keeps_its_incarnation(house: House):
    first = house.live(3)
    assert house.live(2, marks=False) == first, "a crash loses nothing"
    assert house.live() == first


def test_a_backup_from_an_earlier_run_is_a_new_incarnation(house: House):
    first = house.live(3)
    house.copy()
    assert house.live(1) == first
    house.restore()
    second = house.live()
    assert second != first
    assert house.live() == second


def test_a_backup_from_the_same_run_is_recognised_by_its_change_number(house: House):
    first = house.live(5, copies=True)
    house.restore()
    assert house.live() != first


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]"])
def test_without_a_readable_marker_a_database_counts_as_restored(house: House, content):
    first = house.live()
    marker_path(house.path).unlink()
    if content is not None:
        marker_path(house.path).write_bytes(content)
    assert house.live() != first


def test_the_marker_is_written_only_when_something_changed(house: House):
    house.live(1)
    store = SqliteStore(f"sqlite:///{house.path}")
    update_marker(store)
    before = marker_path(house.path).stat().st_ino
    update_marker(store)
    assert marker_path(house.path).stat().st_ino == before
    with store.write() as db:
        db.next_change()
    update_marker(store)
    assert marker_path(house.path).stat().st_ino != before
    store.close()


def test_no_marker_is_written_before_the_first_opening_is_recorded(tmp_path: Path):
    store = SqliteStore(f"sqlite:///{tmp_path}/centre.db")
    update_marker(store)
    assert not marker_path(store.path).exists()
    store.close()
