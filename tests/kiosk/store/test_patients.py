"""The rows of patients: their journeys, their cards, and their queue entries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kiosk.store import patients
from kiosk.store.patients import Patient
from kiosk.store.sqlite import Store
from sync.cards import CardHash
from sync.clock import ClockReading
from sync.journey.model import Journey, PatientId
from tests.kiosk import samples
from tests.kiosk.samples import TODAY, booking, entry, row

CLOCK = ClockReading(0, 0, "boot-1", synchronised=True)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = samples.enrolled(tmp_path, samples.Clock()).store
    yield opened
    opened.close()


def patient(number: int, **changes: object) -> Patient:
    journey = Journey(PatientId(f"P{number}"), "WAITING", TODAY, entries=(entry(f"B-{number:03d}"),))
    return replace(
        Patient(journey.patient_id, "홍*동", "ko", False, journey, journey, (booking(number),)),
        **changes,  # type: ignore[arg-type]
    )


def test_a_patient_comes_out_as_it_went_in(store: Store):
    kept = patient(
        7, base=Journey(PatientId("P7"), "ARRIVED", TODAY, journey_version=3), language="en", provisional=True
    )
    with store.write() as db:
        patients.save(db, kept, change=12)
        assert patients.read(db, "P7") == kept
        row_ = db.execute("select * from patients where patient_id = 'P7'").fetchone()
    assert (row_["journey_version"], row_["journey_state"], row_["site_day"], row_["change"]) == (
        3,
        "WAITING",
        TODAY,
        12,
    )


def test_the_change_number_only_rises(store: Store):
    with store.write() as db:
        for change in (5, None, 3):
            patients.save(db, patient(7), change)
            assert db.execute("select change from patients where patient_id = 'P7'").fetchone()[0] == 5


def test_a_card_is_found_by_any_of_its_hashes_with_its_binding(store: Store):
    old, new = CardHash("k1", "aa"), CardHash("k2", "bb")
    with store.write() as db:
        patients.save(db, patient(7))
        patients.bind(db, "P7", [(old, "b-7")])
        for asked in ([old], [new, old], [CardHash("k2", "aa"), old]):
            found = patients.read_holder(db, asked)
            assert found is not None
            assert (found.patient.patient_id, found.binding_id) == ("P7", "b-7")
        assert patients.read_holder(db, [new, CardHash("k2", "aa")]) is None
        assert patients.read_holder(db, []) is None


def test_a_card_bound_to_another_patient_is_no_longer_the_first_ones(store: Store):
    card = CardHash("k1", "aa")
    with store.write() as db:
        for number in (7, 8):
            patients.save(db, patient(number))
            patients.bind(db, f"P{number}", [(card, f"b-{number}")])
        found = patients.read_holder(db, [card])
        assert found is not None
        assert found.patient.patient_id == "P8"
        patients.unbind(db, "P7", card)
        assert patients.read_holder(db, [card]) is not None
        patients.unbind(db, "P8", card, "b-6")
        assert patients.read_holder(db, [card]) is not None, "a newer binding than that"
        patients.unbind(db, "P8", card, "b-8")
        assert patients.read_holder(db, [card]) is None


def test_cards_are_forgotten_one_by_one_or_all_together(store: Store):
    first, second = CardHash("k1", "aa"), CardHash("k1", "bb")
    with store.write() as db:
        patients.save(db, patient(7))
        patients.bind(db, "P7", [(first, None), (second, None)])
        patients.unbind(db, "P7", first)
        assert patients.read_holder(db, [first]) is None
        assert patients.read_holder(db, [second]) is not None
        patients.unbind_all(db, "P7")
        assert patients.read_holder(db, [second]) is None


def test_who_is_forgotten_goes_with_cards_and_entries(store: Store):
    with store.write() as db:
        patients.save(db, patient(7))
        patients.bind(db, "P7", [(CardHash("k1", "aa"), None)])
        patients.forget(db, "P7")
        for table in ("patients", "bindings", "entries"):
            assert db.execute(f"select count(*) from {table} where patient_id = 'P7'").fetchone()[0] == 0


def test_a_line_is_made_of_the_entries_of_its_exam_of_that_day(store: Store):
    yesterday = "2026-03-01"
    with store.write() as db:
        patients.save(db, patient(7))
        other = Journey(PatientId("P8"), "WAITING", TODAY, entries=(entry("B-008", "BLOOD"),))
        patients.save(db, patient(8, view=other))
        old = Journey(PatientId("P9"), "WAITING", yesterday, entries=(entry("B-009"),))
        patients.save(db, patient(9, view=old))
        assert [e.queue_number for e in patients.read_line(db, "XRAY", TODAY)] == ["B-007"]
        assert [e.queue_number for e in patients.read_line(db, "BLOOD", TODAY)] == ["B-008"]
        assert [e.queue_number for e in patients.read_line(db, "XRAY", yesterday)] == ["B-009"]
        patients.save(db, patient(7, view=Journey(PatientId("P7"), "COMPLETED", TODAY)))
        assert patients.read_line(db, "XRAY", TODAY) == ()


def test_an_entry_that_moves_to_another_patient_is_theirs_alone(store: Store):
    with store.write() as db:
        patients.save(db, patient(7))
        moved = Journey(PatientId("P8"), "WAITING", TODAY, entries=(entry("B-007"),))
        patients.save(db, patient(8, view=moved))
        patients.forget(db, "P7")
        assert [e.queue_number for e in patients.read_line(db, "XRAY", TODAY)] == ["B-007"]


def test_a_pulled_row_has_nothing_pending_on_top():
    pulled = patients.from_page(row(7))
    assert pulled.base == pulled.view == row(7).journey
    assert not pulled.provisional
