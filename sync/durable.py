"""Files that survive a power cut: written whole or not at all, and durable before anything builds on them."""

import errno
import os
from collections.abc import Iterable
from pathlib import Path


def write_secret(path: Path, content: bytes) -> None:
    """Writes a file that only its owner may read: whole or not at all, and durable. Raises OSError."""
    put_in_place(prepare_secret(path, content), path)


def write_new_secret(path: Path, parts: Iterable[bytes]) -> None:
    """Writes a new file that only its owner may read, from its parts: whole or not at all, and durable.

    Raises FileExistsError where there is such a file already, and OSError.
    """
    if path.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    prepared = _prepared(path)
    prepared.unlink(missing_ok=True)
    descriptor = os.open(prepared, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        for part in parts:
            _write(descriptor, part)
        os.fsync(descriptor)
        _name_new(prepared, path)
    finally:
        os.close(descriptor)
        prepared.unlink(missing_ok=True)
    sync_path(path.parent)


def discard_prepared(path: Path) -> None:
    """Removes the second name of a new file that a crash in `write_new_secret` has left. Raises OSError."""
    _prepared(path).unlink(missing_ok=True)


def prepare_secret(path: Path, content: bytes) -> Path:
    """Writes the content of `path` to a file beside it, durably, and returns the path of that file.

    `put_in_place` then needs no more space on the disk. Raises OSError, and leaves no file then.
    """
    prepared = _prepared(path)
    descriptor = os.open(prepared, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
        write_durably(descriptor, content)
    except OSError:
        prepared.unlink(missing_ok=True)  # half a file would only keep a full disk full
        raise
    finally:
        os.close(descriptor)
    return prepared


def put_in_place(prepared: Path, path: Path) -> None:
    """Renames a prepared file to `path`, durably. Raises OSError, and removes the prepared file where the renaming
    failed."""
    try:
        prepared.replace(path)
    except OSError:
        prepared.unlink(missing_ok=True)
        raise
    sync_path(path.parent)


def erase(path: Path) -> None:
    """Overwrites a file with zeros and removes it, durably, and what a crash has left of its writing. Nothing happens
    where there is no such file. Raises OSError.

    A flash medium may keep the old content in a place that no program can read.
    """
    for each in (_prepared(path), path):
        _erase(each)


def _erase(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    try:
        write_durably(descriptor, bytes(os.fstat(descriptor).st_size))
    finally:
        os.close(descriptor)
    path.unlink()
    sync_path(path.parent)


def free_name(path: Path, ending: str) -> Path:
    """A path beside a file that does not exist yet: the file's name with `ending`, from the second on with a number."""
    names = (path.with_name(f"{path.name}{ending}{number}") for number in ("", *(f"-{n}" for n in range(2, 1000))))
    return next(name for name in names if not name.exists())


def sync_path(path: Path) -> None:
    """Makes the content of a file durable, or the names in a directory. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(descriptor: int, content: bytes) -> None:
    """Writes the content to an open file, and returns once it is durable. Raises OSError."""
    _write(descriptor, content)
    os.fsync(descriptor)


def _prepared(path: Path) -> Path:
    return path.with_name(path.name + ".new")


def _write(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _name_new(prepared: Path, path: Path) -> None:
    """Gives a prepared file its name, where no file has it yet."""
    try:
        os.link(prepared, path)
    except PermissionError:
        # The file system knows no second names, like that of a USB stick.
        prepared.rename(path)
