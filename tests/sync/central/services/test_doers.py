"""Whose name staff read beside a change."""

from __future__ import annotations

import pytest

from sync.central.records.accounts import Account, add_account, names_of_people
from sync.central.records.duties import Duty
from sync.central.services.doers import Doer, doer
from sync.ids import new_id
from tests.sync.central.centre import Centre


@pytest.mark.parametrize(
    ("who", "kiosk", "expected"),
    [
        ("staff:Nurse Kim (1a2b3c4d5e6f)", None, Doer("staff", "Nurse Kim")),
        ("staff:kim.nurse", None, Doer("staff", "kim.nurse")),
        ("staff:Dr. Lee (locum) (1a2b3c4d5e6f)", None, Doer("staff", "Dr. Lee (locum)")),
        ("staff:1a2b3c4d5e6f", None, Doer("staff", "")),
        ("staff", None, Doer("staff", "")),
        ("patient:1a2b3c4d5e6f", None, Doer("patient", "")),
        ("visit:1a2b3c4d5e6f", None, Doer("patient", "")),
        ("patient", None, Doer("patient", "")),
        ("kiosk-1", "Main entrance", Doer("kiosk", "Main entrance")),
        ("system", None, Doer("centre", "")),
        ("", None, Doer("centre", "")),
        ("import", None, Doer("centre", "import")),
    ],
)
def test_the_name_of_a_person_or_a_kiosk_is_shown_and_no_patients(who: str, kiosk: str | None, expected: Doer):
    assert doer(who, kiosk) == expected


def test_a_person_has_the_name_of_the_account_and_namesakes_their_login_names_beside_it(centre: Centre):
    with centre.store.write() as db:
        for login, name in (("kim.hn", "김하늘"), ("lee.1", "이서연"), ("lee.2", "이서연")):
            add_account(db, Account(new_id(), login, name, frozenset({Duty.EXAM_ROOM}), 0))
        people = names_of_people(db)
    assert doer("staff:kim.hn", None, people) == Doer("staff", "김하늘")
    assert doer("staff:lee.2", None, people) == Doer("staff", "이서연 (lee.2)")
    assert doer("staff:kim.hn (1a2b3c4d5e6f)", None, people) == Doer("staff", "kim.hn"), "a token of that name"
