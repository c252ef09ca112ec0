"""The faults of the database, and which of them concern one action alone."""

import sqlite3


class StoreError(Exception):
    """The database cannot be used. The message says why, for the operator."""


class InUse(StoreError):
    """Another process has the database open."""


class StaleJourney(Exception):
    """Another transaction changed the journey after it was read. The sender is told to try again later."""


def is_of_the_action(error: Exception) -> bool:
    """Whether an error concerns the one action at hand, so that the other actions of a batch can still be judged.

    False where the database itself fails, or where another transaction changed the journey. No action may be judged
    then.
    """
    if isinstance(error, sqlite3.Error):
        return isinstance(error, _OF_THE_DATA)
    return not isinstance(error, StaleJourney)


_OF_THE_DATA = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError, sqlite3.InterfaceError)


def trouble_in_words(error: Exception) -> str:
    """Why the database takes no request now, without the error's own text, which could quote a row.

    A busy database is free again soon. Other trouble lasts until an operator ends it.
    """
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_BUSY)
    return _LASTING.get(code & _PRIMARY, "The database of the centre is busy: try again")


_PRIMARY = 0xFF  # an extended code has its primary code in the lowest byte (sqlite.org/rescode.html)
_LASTING = {
    sqlite3.SQLITE_FULL: "The disk of the centre is full",
    sqlite3.SQLITE_READONLY: "The database of the centre is read-only",
    sqlite3.SQLITE_IOERR: "The disk of the centre fails",
    sqlite3.SQLITE_CANTOPEN: "The database of the centre cannot be opened",
}
