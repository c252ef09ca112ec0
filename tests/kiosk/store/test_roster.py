"""The patients on the centre's roster: a snapshot under way, and patients who leave with an action pending."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.store import patients, roster
from kiosk.store.sqlite import Store
from tests.kiosk import samples
from tests.kiosk.parts import KioskParts
from tests.kiosk.samples import cards, row


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[KioskParts]:
    """Three patients, the first with a pending action."""
    made = samples.enrolled(tmp_path, samples.Clock())
    made.journeys.tap(cards(1), ("scan_nfc",))
    yield made
    made.store.close()


def known(store: Store) -> set[str]:
    with store.read() as db:
        return {each[0] for each in db.execute("select patient_id from patients")}


def test_until_a_snapshot_ends_everybody_stays_and_then_those_with_something_pending(parts: KioskParts):
    with parts.store.write() as db:
        assert roster.begin_snapshot(db) == {"P1", "P2", "P3"}
        patients.save(db, patients.from_page(row(3)), change=2)
        roster.forget_departed(db)
    assert known(parts.store) == {"P1", "P2", "P3"}
    with parts.store.write() as db:
        assert [patient.patient_id for patient in roster.end_snapshot(db)] == ["P1"]
    assert known(parts.store) == {"P1", "P3"}


def test_who_has_departed_goes_once_nothing_is_pending(parts: KioskParts):
    with parts.store.write() as db:
        for patient_id in ("P1", "P2"):
            roster.mark_departed(db, patient_id)
        roster.forget_departed(db)
    assert known(parts.store) == {"P1", "P3"}
    with parts.store.write() as db:
        db.execute("update outbox set status = 'applied'")
        roster.forget_departed(db)
    assert known(parts.store) == {"P3"}


def test_an_enrolment_clears_all_but_provisional_patients_and_a_fence_everybody(parts: KioskParts):
    parts.journeys.check_in_unknown("card-9", cards(9), "scan_nfc", None)  # type: ignore[arg-type]
    with parts.store.write() as db:
        roster.clear_confirmed(db)
    assert known(parts.store) == {"card-9"}
    with parts.store.write() as db:
        assert roster.clear(db) == {"card-9"}
    assert known(parts.store) == set()
