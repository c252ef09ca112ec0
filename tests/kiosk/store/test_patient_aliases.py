"""Other ids of a patient: ids made for a card, and records merged into the patient's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.store import patient_aliases, patients
from kiosk.store.sqlite import Store
from tests.kiosk import samples


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = samples.enrolled(tmp_path, samples.Clock()).store
    yield opened
    opened.close()


def test_an_id_without_an_alias_means_itself(store: Store):
    with store.read() as db:
        assert patient_aliases.resolve(db, "P1") == "P1"
        assert patient_aliases.resolve(db, "nobody") == "nobody"


def test_a_renamed_patient_and_its_aliases_mean_the_other_patient(store: Store):
    with store.write() as db:
        patient_aliases.rename(db, "card-9", "P1", samples.TODAY)
        patient_aliases.rename(db, "P1", "P2", samples.TODAY)
        assert patients.read(db, "P1") is None
        assert [patient_aliases.resolve(db, each) for each in ("card-9", "P1", "P2")] == ["P2"] * 3


def test_an_id_that_is_a_patients_own_again_means_itself(store: Store):
    with store.write() as db:
        patient_aliases.rename(db, "P1", "P2", samples.TODAY)
        patient_aliases.forget(db, "P1")
        assert patient_aliases.resolve(db, "P1") == "P1"


def test_aliases_of_earlier_days_go(store: Store):
    with store.write() as db:
        patient_aliases.rename(db, "old", "P2", "2026-03-01")
        patient_aliases.rename(db, "new", "P2", samples.TODAY)
        patient_aliases.forget_before(db, samples.TODAY)
        assert [patient_aliases.resolve(db, each) for each in ("old", "new")] == ["old", "P2"]
