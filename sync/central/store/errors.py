"""The faults of the database, and which of them concern one action alone."""

import sqlite3
from enum import StrEnum


class StoreError(Exception):
    """The database cannot be used. The message says why, for the operator."""


class InUse(StoreError):
    """Another process has the database open."""


class StaleJourney(Exception):
    """Another transaction changed the journey after it was read. What was done is done again in turn."""


class Overtaken(sqlite3.OperationalError):
    """A transaction beside others has met one of them. What was done is done again in turn."""


def is_of_the_action(error: Exception) -> bool:
    """Whether an error concerns the one action at hand, so that the other actions of a batch can still be judged.

    False where the database itself fails, or where another transaction changed the journey. No action may be judged
    then.
    """
    if isinstance(error, sqlite3.Error):
        return isinstance(error, _OF_THE_DATA)
    return not isinstance(error, StaleJourney)


_OF_THE_DATA = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError, sqlite3.InterfaceError)


class Trouble(StrEnum):
    """What keeps the database from taking a request. A busy one is free again soon; an operator ends the others."""

    BUSY = "busy"
    DISK_FULL = "disk_full"
    READ_ONLY = "read_only"
    DISK_FAILS = "disk_fails"
    CANNOT_OPEN = "cannot_open"


def trouble_of(error: Exception) -> Trouble:
    """What keeps the database from taking a request that failed with this error."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_BUSY)
    return _LASTING.get(code & _PRIMARY, Trouble.BUSY)


def trouble_in_words(error: Exception) -> str:
    """Why the database takes no request now, without the error's own text, which could quote a row."""
    return IN_WORDS[trouble_of(error)]


_PRIMARY = 0xFF  # an extended code has its primary code in the lowest byte (sqlite.org/rescode.html)
_LASTING = {
    sqlite3.SQLITE_FULL: Trouble.DISK_FULL,
    sqlite3.SQLITE_READONLY: Trouble.READ_ONLY,
    sqlite3.SQLITE_IOERR: Trouble.DISK_FAILS,
    sqlite3.SQLITE_CANTOPEN: Trouble.CANNOT_OPEN,
}
IN_WORDS = {
    Trouble.BUSY: "The database of the centre is busy: try again",
    Trouble.DISK_FULL: "The disk of the centre is full",
    Trouble.READ_ONLY: "The database of the centre is read-only",
    Trouble.DISK_FAILS: "The disk of the centre fails",
    Trouble.CANNOT_OPEN: "The database of the centre cannot be opened",
}
