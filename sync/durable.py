"""Files that survive a power cut: written whole or not at all, and durable before anything builds on them."""

import os
from pathlib import Path


def write_secret(path: Path, content: bytes) -> None:
    """Writes a file that only its owner may read: whole or not at all, and durable. Raises OSError."""
    put_in_place(prepare_secret(path, content), path)


def prepare_secret(path: Path, content: bytes) -> Path:
    """Writes the content of `path` to a file beside it, durably, and returns the path of that file.

    `put_in_place` then needs no more space on the disk. Raises OSError, and leaves no file then.
    """
    prepared = path.with_name(path.name + ".new")
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
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    os.fsync(descriptor)
