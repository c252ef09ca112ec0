"""The files that a migration leaves: a verified copy of the old database, and the list of the rows that were settled or
are bad. Only their owner may read them."""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from sync.central.legacy.layout import Layout
from sync.central.legacy.old_database import OldDatabase
from sync.central.records.legacy import kept_rows
from sync.central.store.errors import StoreError
from sync.central.store.transactions import ReadTransaction
from sync.durable import free_name, sync_path, write_new_secret


def make_directory(directory: Path) -> None:
    """Makes the directory of the files, where there is none. Raises StoreError."""
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreError(f"{directory}: {error.strerror}") from error


def back_up_old(old: OldDatabase, directory: Path) -> Path:
    """Writes a copy of the old database into the directory, and checks it. Returns its path.

    The caller holds the old database, and has written nothing. Raises StoreError, and leaves no file then.
    """
    make_directory(directory)
    file = free_name(directory / "old-database", ".backup")
    part = file.with_name(file.name + ".part")
    try:
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        old.copy_to(part)
        sync_path(part)
        part.replace(file)
        sync_path(directory)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise StoreError(f"{file}: no backup was made: {error.strerror}. Nothing was changed") from error
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return file


def list_rows(db: ReadTransaction, layout: Layout, directory: Path, *, trial: bool) -> Path:
    """Writes the list of the rows that were settled or are bad: JSON lines with table, key, fate and reasons.

    It names no person. Returns its path. Raises StoreError, and leaves no file then.
    """
    file = free_name(directory / ("rows-of-the-trial" if trial else "rows"), ".jsonl")
    try:
        write_new_secret(file, _lines(db, layout))
    except OSError as error:
        raise StoreError(f"{file}: {error.strerror}. Nothing was changed") from error
    return file


def _lines(db: ReadTransaction, layout: Layout) -> Iterator[bytes]:
    for kind in layout.kinds():
        table = layout.tables[kind].table
        for row in kept_rows(db, kind, faulty=True):
            said = {"table": table, "key": row.old_key, "fate": row.fate, "reasons": row.reasons}
            yield msgspec.json.encode(said) + b"\n"
