"""Which errors concern one action alone, and which stop a whole batch."""

from __future__ import annotations

import sqlite3

import pytest

from sync.central.store.errors import StaleJourney, is_of_the_action


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
