"""Files that survive a power cut, and are written whole."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.durable import write_new_secret, write_secret


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_only_the_owner_may_read_a_secret_with_any_umask_and_any_earlier_file(tmp_path: Path):
    path = tmp_path / "token"
    before = os.umask(0)
    try:
        path.write_text("older")
        (tmp_path / "token.new").write_text("left over by a crash")
        write_secret(path, b"newer")
    finally:
        os.umask(before)
    assert (path.read_bytes(), mode(path)) == (b"newer", 0o600)
    assert [p.name for p in tmp_path.iterdir()] == ["token"]


def test_a_link_in_the_way_is_not_followed(tmp_path: Path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("mine")
    (tmp_path / "token.new").symlink_to(elsewhere)
    with pytest.raises(OSError, match=r".+"):
        write_secret(tmp_path / "token", b"secret")
    assert elsewhere.read_text() == "mine"


def test_a_reader_finds_the_old_secret_or_the_new_one_never_a_part(tmp_path: Path):
    path, contents = tmp_path / "site.keys", (b"1" * 5000, b"2" * 5000)
    write_secret(path, contents[0])
    done = threading.Event()

    def write() -> None:
        for turn in range(60):
            write_secret(path, contents[turn % 2])
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        assert path.read_bytes() in contents
    writer.join()


@pytest.mark.disk("128k")
def test_a_secret_that_does_not_fit_leaves_the_old_one(small_disk: Path):
    write_secret(small_disk / "token", b"older")
    with pytest.raises(OSError, match="No space"):
        write_secret(small_disk / "token", b"newer" * 100_000)
    assert [(each.name, each.read_bytes()) for each in small_disk.iterdir()] == [("token", b"older")]


def test_a_new_file_is_whole_and_its_owners_alone_and_never_in_the_place_of_another(tmp_path: Path):
    path = tmp_path / "actions"
    write_new_secret(path, [b"one ", b"two"])
    assert (path.read_bytes(), mode(path)) == (b"one two", 0o600)
    with pytest.raises(FileExistsError):
        write_new_secret(path, [b"other"])
    assert path.read_bytes() == b"one two"
    assert [p.name for p in tmp_path.iterdir()] == ["actions"]


def test_a_new_file_whose_content_fails_half_way_leaves_nothing(tmp_path: Path):
    def parts() -> Iterator[bytes]:
        yield b"one"
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        write_new_secret(tmp_path / "actions", parts())
    assert list(tmp_path.iterdir()) == []
