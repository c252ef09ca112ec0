"""PostgreSQL's errors as those of `sqlite3`, the classes that the centre knows for both databases.

The text is without a row's values: the driver's own text may quote a patient.
"""

import sqlite3

import psycopg

from sync.central.store.errors import Overtaken

_CODES = {
    "25006": sqlite3.SQLITE_READONLY,  # read_only_sql_transaction: a standby
    "25P02": sqlite3.SQLITE_BUSY,  # in_failed_sql_transaction: an error before this one was not heard
    "42P01": sqlite3.SQLITE_ERROR,  # undefined_table
    "42703": sqlite3.SQLITE_ERROR,  # undefined_column
    "42501": sqlite3.SQLITE_READONLY,  # insufficient_privilege
    "53100": sqlite3.SQLITE_FULL,  # disk_full
    "58030": sqlite3.SQLITE_IOERR,  # io_error
    "08": sqlite3.SQLITE_CANTOPEN,  # connection_exception
    "28": sqlite3.SQLITE_CANTOPEN,  # invalid_authorization_specification
    "3D": sqlite3.SQLITE_CANTOPEN,  # invalid_catalog_name
    "": sqlite3.SQLITE_CANTOPEN,  # the server gave no code: it was not reached, or the connection broke
}
_OVERTAKEN = ("40001", "40P01")  # serialization_failure, deadlock_detected
_OF_THE_DATA = {"54": sqlite3.DataError}  # program_limit_exceeded: a value is too long for an index
_CLASSES: tuple[tuple[type[psycopg.Error], type[sqlite3.Error]], ...] = (
    (psycopg.IntegrityError, sqlite3.IntegrityError),
    (psycopg.DataError, sqlite3.DataError),
    (psycopg.ProgrammingError, sqlite3.ProgrammingError),
    (psycopg.NotSupportedError, sqlite3.NotSupportedError),
    (psycopg.OperationalError, sqlite3.OperationalError),
)


def translated(error: psycopg.Error) -> sqlite3.Error:
    """The error of `sqlite3` that says the same. Its `sqlite_errorcode` says what keeps the database from working."""
    state = error.sqlstate or ""
    if isinstance(error, psycopg.DataError):
        return sqlite3.DataError(f"{type(error).__name__} {state}".strip())
    if state in _OVERTAKEN:
        return Overtaken(_in_words(error))
    if kind := _OF_THE_DATA.get(state[:2]):
        return kind(f"{type(error).__name__} {state}")
    code = _CODES.get(state, _CODES.get(state[:2]))
    if code is not None:
        return operational(_in_words(error), code)
    for theirs, ours in _CLASSES:
        if isinstance(error, theirs):
            return operational(_in_words(error)) if ours is sqlite3.OperationalError else ours(_in_words(error))
    return sqlite3.DatabaseError(_in_words(error))


def operational(text: str, code: int = sqlite3.SQLITE_BUSY) -> sqlite3.OperationalError:
    """The error of a database that does not work, with SQLite's code for the reason."""
    made = sqlite3.OperationalError(text)
    made.sqlite_errorcode = code
    return made


def _in_words(error: psycopg.Error) -> str:
    """The first line, which names tables and constraints, and no value."""
    text = error.diag.message_primary or str(error)
    return text.partition("\n")[0] or type(error).__name__
