"""The names of people in the history, in place of their login names."""

from __future__ import annotations

import pytest

from sync.central.records.accounts import Account, add_account
from sync.central.records.duties import Duty
from sync.central.records.person_names import person_of, who_of
from tests.sync.central.centre import Centre


@pytest.mark.parametrize(
    ("who", "shown"),
    [
        ("staff:kim.mj", "staff:김미정"),
        ("staff:nobody", "staff:nobody"),
        ("staff:kim.mj (1a2b3c4d5e6f)", "staff:kim.mj (1a2b3c4d5e6f)"),  # a token with such a name
        ("patient:kim.mj", "patient:kim.mj"),
        ("entrance-1", "entrance-1"),
        ("", ""),
    ],
)
def test_a_person_is_shown_by_name_and_nobody_else(centre: Centre, who: str, shown: str):
    with centre.store.write() as db:
        add_account(db, Account("a1", "kim.mj", "김미정", frozenset({Duty.RECEPTION}), centre.clock()))
    query = f"select {who_of('h')} from (select cast(:who as text) as who) h{person_of('h')}"
    assert [row["who"] for row in centre.rows(query, who=who)] == [shown]
