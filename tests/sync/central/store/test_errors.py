"""Which errors concern one action alone, and which stop a whole batch."""

from __future__ import annotations

import sqlite3

import pytest

from sync.central.store.errors import StaleJourney, is_of_the_action, trouble_in_words


@pytest.mark.parametrize(
    "error", [ValueError("odd"), KeyError("name"), sqlite3.IntegrityError("twice"), sqlite3.InterfaceError("type")]
)
def test_an_error_of_the_code_or_the_data_concerns_the_action_alone(error: Exception):
    assert is_of_the_action(error)


@pytest.mark.parametrize(
    "error", [sqlite3.OperationalError("disk full"), sqlite3.DatabaseError("damaged"), StaleJourney("P1")]
)
def test_an_error_of_the_database_or_of_another_writer_concerns_every_action(error: Exception):
    assert not is_of_the_action(error)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (sqlite3.SQLITE_BUSY, "The database of the centre is busy: try again"),
        (sqlite3.SQLITE_FULL, "The disk of the centre is full"),
        (sqlite3.SQLITE_IOERR_WRITE, "The disk of the centre fails"),
        (sqlite3.SQLITE_READONLY_ROLLBACK, "The database of the centre is read-only"),
    ],
)
def test_trouble_that_lasts_is_not_called_busy(code: int, words: str):
    error = sqlite3.OperationalError("near a patient")
    error.sqlite_errorcode = code
    assert trouble_in_words(error) == words
