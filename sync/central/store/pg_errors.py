"""PostgreSQL's errors as those of `sqlite3`, the classes that the centre knows for both databases.

The text is without a row's values: the driver's own text may quote a patient.
"""

import sqlite3

import psycopg

from sync.central.store.errors import Overtaken

# What keeps the database from working, by the error's code or its class. Of the rest the next try may be better.
_CODES = {
    "08": sqlite3.SQLITE_CANTOPEN,  # connection_exception
    "25006": sqlite3.SQLITE_READONLY,  # read_only_sql_transaction: a standby
    "26": sqlite3.SQLITE_BUSY,  # invalid_sql_statement_name: prepared on another connection
    "28": sqlite3.SQLITE_CANTOPEN,  # invalid_authorization_specification
    "3D": sqlite3.SQLITE_CANTOPEN,  # invalid_catalog_name: the database is gone
    "3F": sqlite3.SQLITE_CANTOPEN,  # invalid_schema_name
    "42501": sqlite3.SQLITE_READONLY,  # insufficient_privilege
    "42703": sqlite3.SQLITE_CANTOPEN,  # undefined_column
    "42P01": sqlite3.SQLITE_CANTOPEN,  # undefined_table: not a centre's database, or no longer
    "42P05": sqlite3.SQLITE_BUSY,  # duplicate_prepared_statement
    "53100": sqlite3.SQLITE_FULL,  # disk_full
    "53400": sqlite3.SQLITE_FULL,  # configuration_limit_exceeded: temp_file_limit
    "57P04": sqlite3.SQLITE_CANTOPEN,  # database_dropped
    "58": sqlite3.SQLITE_IOERR,  # system_error
    "XX001": sqlite3.SQLITE_IOERR,  # data_corrupted
    "XX002": sqlite3.SQLITE_IOERR,  # index_corrupted
}
_OVERTAKEN = (
    "40001",  # serialization_failure
    "40P01",  # deadlock_detected
    "22012",  # division_by_zero: a row was not there as it was read (pg_transaction.py)
)
_OF_THE_DATA = {"22", "54"}  # data_exception; program_limit_exceeded: a value is too long for an index
# What a statement or a row is to blame for. Every other error is the database's.
_CLASSES: tuple[tuple[type[psycopg.Error], type[sqlite3.Error]], ...] = (
    (psycopg.IntegrityError, sqlite3.IntegrityError),
    (psycopg.ProgrammingError, sqlite3.ProgrammingError),
    (psycopg.NotSupportedError, sqlite3.NotSupportedError),
)


def translated(error: psycopg.Error) -> sqlite3.Error:
    """The error of `sqlite3` that says the same. Its `sqlite_errorcode` says what keeps the database from working."""
    state = error.sqlstate or ""
    if state in _OVERTAKEN:
        return Overtaken(_in_words(error))
    if isinstance(error, psycopg.DataError) or state[:2] in _OF_THE_DATA:
        return sqlite3.DataError(f"{type(error).__name__} {state}".strip())
    code = _CODES.get(state, _CODES.get(state[:2]))
    if code is not None:
        return operational(_in_words(error), code)
    for theirs, ours in _CLASSES:
        if isinstance(error, theirs):
            return ours(_in_words(error))
    # Without a code of the server, it was not reached, or the connection broke.
    return operational(_in_words(error), sqlite3.SQLITE_BUSY if state else sqlite3.SQLITE_CANTOPEN)


def operational(text: str, code: int = sqlite3.SQLITE_BUSY) -> sqlite3.OperationalError:
    """The error of a database that does not work, with SQLite's code for the reason."""
    made = sqlite3.OperationalError(text)
    made.sqlite_errorcode = code
    return made


def _in_words(error: psycopg.Error) -> str:
    """The first line, which names tables and constraints, and no value."""
    text = error.diag.message_primary or str(error)
    return text.partition("\n")[0] or type(error).__name__
