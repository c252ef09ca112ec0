"""The rows of patients: their journeys, their cards, and their queue entries."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from kiosk.store import patients
from kiosk.store.patients import Patient
from kiosk.store.sqlite import Store
from sync.cards import CardHash
from sync.clock import ClockReading
from sync.journey.definitions import shipped
from sync.journey.model import Journey, PatientId, QueueEntry
from sync.journey.rules import people_ahead
from tests.kiosk import samples
from tests.kiosk.samples import TODAY, booking, entry, row

RULES = shipped()
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
        patients.save(db, kept, None, generation=12)
        assert patients.read(db, "P7") == kept
        row_ = db.execute("select * from patients where patient_id = 'P7'").fetchone()
    assert (row_["site_day"], row_["generation"]) == (TODAY, 12)


def test_the_generation_of_a_patient_stays_until_a_page_names_them(store: Store):
    with store.write() as db:
        for generation, found in ((None, None), (5, 5), (None, 5), (6, 6)):
            patients.save(db, patient(7), patients.read(db, "P7"), generation)
            assert db.execute("select generation from patients where patient_id = 'P7'").fetchone()[0] == found


def test_a_base_of_an_earlier_generation_has_a_version_below_any():
    kept = patient(7, base=Journey(PatientId("P7"), "ARRIVED", TODAY, journey_version=3), base_generation=2)
    assert [kept.base_version(generation) for generation in (1, 2, 3)] == [3, 3, -1]


def test_a_view_is_written_alone_and_only_where_it_differs(store: Store):
    before, tomorrow = patient(7), "2026-03-03"
    after = replace(
        before,
        view=replace(before.view, site_day=tomorrow),
        base=replace(before.base, state="ARRIVED"),
    )
    with store.write() as db:
        patients.save(db, before, None)
        patients.save_view(db, after, before)
        assert patients.read(db, "P7") == replace(after, base=before.base)
        assert patients.ids_viewed_after(db, TODAY) == {"P7"}
        asked: list[str] = []
        db.set_trace_callback(asked.append)
        patients.save_view(db, after, after)
        db.set_trace_callback(None)
    assert asked == []


def test_a_card_is_found_by_any_of_its_hashes_with_its_binding(store: Store):
    old, new = CardHash("k1", "aa"), CardHash("k2", "bb")
    with store.write() as db:
        patients.save(db, patient(7), None)
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
            patients.save(db, patient(number), None)
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
        patients.save(db, patient(7), None)
        patients.bind(db, "P7", [(first, None), (second, None)])
        patients.unbind(db, "P7", first)
        assert patients.read_holder(db, [first]) is None
        assert patients.read_holder(db, [second]) is not None
        patients.unbind_all(db, "P7")
        assert patients.read_holder(db, [second]) is None


def test_who_is_forgotten_goes_with_cards_and_entries(store: Store):
    with store.write() as db:
        patients.save(db, patient(7), None)
        patients.bind(db, "P7", [(CardHash("k1", "aa"), None)])
        patients.forget(db, "P7")
        for table in ("patients", "bindings", "entries"):
            assert db.execute(f"select count(*) from {table} where patient_id = 'P7'").fetchone()[0] == 0


def ahead(store: Store, exam: str = "XRAY", day: str = TODAY, **mine: object) -> int:
    """How many entries are before one of 09:30 in a line."""
    with store.read() as db:
        last = replace(entry("B-999", exam, opened="09:30"), **mine)  # type: ignore[arg-type]
        return patients.count_ahead(db, last, day, RULES.in_line)


def test_a_line_is_made_of_the_entries_of_its_exam_of_that_day(store: Store):
    yesterday = "2026-03-01"
    with store.write() as db:
        patients.save(db, patient(7), None)
        other = Journey(PatientId("P8"), "WAITING", TODAY, entries=(entry("B-008", "BLOOD"), entry("B-018", "BLOOD")))
        patients.save(db, patient(8, view=other), None)
        old = Journey(PatientId("P9"), "WAITING", yesterday, entries=(entry("B-009"),))
        patients.save(db, patient(9, view=old), None)
    assert (ahead(store), ahead(store, "BLOOD"), ahead(store, day=yesterday)) == (1, 2, 1)
    with store.write() as db:
        patients.save_view(db, patient(7, view=Journey(PatientId("P7"), "COMPLETED", TODAY)), patient(7))
    assert ahead(store) == 0


def test_an_entry_that_moves_to_another_patient_is_theirs_alone(store: Store):
    with store.write() as db:
        patients.save(db, patient(7), None)
        moved = Journey(PatientId("P8"), "WAITING", TODAY, entries=(entry("B-007"),))
        patients.save(db, patient(8, view=moved), None)
        patients.save_view(db, patient(7, view=Journey(PatientId("P7"), "WAITING", TODAY)), patient(7))
    assert ahead(store) == 1
    with store.write() as db:
        patients.forget(db, "P7")
    assert ahead(store) == 1


STATES = st.sampled_from(sorted(RULES.queue_states))
ENTRIES = st.lists(
    st.builds(
        lambda number, exam, state, opened, priority: replace(
            entry(f"B-{number:03d}", exam, state), opened_ms=opened, priority=priority
        ),
        st.integers(1, 30),
        st.sampled_from(("XRAY", "BLOOD")),
        STATES,
        st.integers(0, 4),
        st.integers(-1, 2),
    ),
    max_size=12,
    unique_by=lambda each: each.queue_id,
)


@given(line=ENTRIES)
def test_the_store_counts_as_the_rules_do(line: list[QueueEntry]):
    with tempfile.TemporaryDirectory() as place:
        made = samples.enrolled(Path(place), samples.Clock()).store
        with made.write() as db:
            for number, each in enumerate(line):
                patient_id = PatientId(f"L{number}")
                view = Journey(patient_id, "WAITING", TODAY, entries=(each,))
                patients.save(db, patient(7, patient_id=patient_id, view=view), None)
            counted = [patients.count_ahead(db, each, TODAY, RULES.in_line) for each in line]
        made.close()
    assert counted == [people_ahead(RULES, tuple(line), each) for each in line]


def test_a_pulled_row_has_nothing_pending_on_top():
    pulled = patients.from_page(row(7), 1)
    assert pulled.base == pulled.view == row(7).journey
    assert not pulled.provisional
