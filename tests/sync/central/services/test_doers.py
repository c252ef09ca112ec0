"""Whose name staff read beside a change."""

from __future__ import annotations

import pytest

from sync.central.services.doers import Doer, doer


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
