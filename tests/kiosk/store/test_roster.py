"""The patients on the centre's roster: a snapshot under way, and patients who leave with an action pending."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.store import blocked_cards, patients, roster
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


def test_a_snapshot_has_not_named_who_is_of_an_earlier_generation(parts: KioskParts):
    parts.journeys.check_in_unknown("card-9", cards(9), "scan_nfc", None)  # type: ignore[arg-type]
    with parts.store.write() as db:
        snapshot = roster.next_generation(db)
        assert sorted(roster.unnamed(db, snapshot, 9)) == ["P1", "P2", "P3"], "nobody but this kiosk knows card-9"
        patients.save(db, patients.from_page(row(3), snapshot), patients.read(db, "P3"), snapshot)
        roster.mark_departed(db, "P2")
        assert roster.unnamed(db, snapshot, 9) == ["P1"]
        assert roster.unnamed(db, snapshot, 0) == []


def test_the_generation_of_a_snapshot_is_above_that_of_one_that_was_broken_off(parts: KioskParts):
    with parts.store.write() as db:
        first = roster.next_generation(db)
        assert roster.next_generation(db) == first
        patients.save(db, patients.from_page(row(3), first), patients.read(db, "P3"), first)
        second = roster.next_generation(db)
        assert second > first
        blocked_cards.block(db, cards(8), second)
        assert roster.next_generation(db) > second


def test_who_has_nothing_pending_is_forgotten_alone(parts: KioskParts):
    with parts.store.write() as db:
        assert not roster.forget_unless_pending(db, "P1")
        assert roster.forget_unless_pending(db, "P2")
        assert not roster.forget_unless_pending(db, "nobody")
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
