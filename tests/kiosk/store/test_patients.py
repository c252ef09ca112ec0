"""The kiosk's rows as typed objects: who it is, whom it knows, whose card it is, and who waits in which line."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kiosk.store import patients as roster
from kiosk.store.patients import Patient
from kiosk.store.sqlite import Store
from sync.cards import CardHash
from sync.clock import ClockReading
from sync.journey.model import Journey, PatientId
from tests.kiosk import samples
from tests.kiosk.samples import GRANTS, SITE, TODAY, booking, cards, enrolment, entry, page, row

CLOCK = ClockReading(0, 0, "boot-1", synchronised=True)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened, _ = samples.enrolled(tmp_path, samples.Clock())
    yield opened
    opened.close()


def patient(number: int, **changes: object) -> Patient:
    journey = Journey(PatientId(f"P{number}"), "WAITING", TODAY, entries=(entry(f"B-{number:03d}"),))
    return replace(
        Patient(journey.patient_id, "홍*동", "ko", False, journey, journey, (booking(number),)),
        **changes,  # type: ignore[arg-type]
    )


def test_before_enrolment_there_is_no_identity_and_no_definitions(tmp_path: Path):
    opened = Store(tmp_path / "kiosk.db")
    with opened.read() as db:
        assert roster.identity(db) is None
        assert roster.definitions(db) is None
        assert roster.patient(db, "P1") is None
        assert roster.patient_of_card(db, cards(1)) is None
    opened.close()


def test_an_identity_is_what_the_centre_said(store: Store):
    with store.read() as db:
        identity = roster.identity(db)
        assert roster.definitions(db) is not None
    assert identity is not None
    assert (identity.kiosk_id, identity.name, identity.ticket_prefix, identity.epoch) == (
        "kiosk-1",
        "본관 입구",
        "B",
        1,
    )
    assert (identity.actions, identity.site, identity.definitions_version) == (frozenset(GRANTS), SITE, 1)
    assert (identity.cursor, identity.as_of_ms, identity.server_incarnation) == (1, samples.at("09:00"), "one")


def test_there_is_one_identity_at_most(store: Store):
    with store.write() as db:
        roster.enrol(db, enrolment(kiosk_id="kiosk-2"))
        assert db.execute("select count(*) from identity").fetchone()[0] == 1
    with pytest.raises(sqlite3.IntegrityError), store.write() as db:
        db.execute(
            "insert into identity select 2, kiosk_id, name, ticket_prefix, actions, epoch, next_seq, last_hash,"
            " backed_up_seq, server_incarnation, cursor, as_of_ms, site, definitions_version, definitions, fenced_ms,"
            " as_of_clock from identity"
        )


def test_a_patient_comes_out_as_it_went_in(store: Store):
    kept = patient(
        7, base=Journey(PatientId("P7"), "ARRIVED", TODAY, journey_version=3), language="en", provisional=True
    )
    with store.write() as db:
        roster.save(db, kept, change=12)
        assert roster.patient(db, "P7") == kept
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
            roster.save(db, patient(7), change)
            assert db.execute("select change from patients where patient_id = 'P7'").fetchone()[0] == 5


def test_a_card_is_found_by_any_of_its_hashes_with_its_binding(store: Store):
    old, new = CardHash("k1", "aa"), CardHash("k2", "bb")
    with store.write() as db:
        roster.save(db, patient(7))
        roster.bind(db, "P7", [(old, "b-7")])
        for asked in ([old], [new, old], [CardHash("k2", "aa"), old]):
            found = roster.patient_of_card(db, asked)
            assert found is not None
            assert (found[0].patient_id, found[1]) == ("P7", "b-7")
        assert roster.patient_of_card(db, [new, CardHash("k2", "aa")]) is None
        assert roster.patient_of_card(db, []) is None


def test_a_card_bound_anew_is_no_longer_whose_it_was(store: Store):
    card = CardHash("k1", "aa")
    with store.write() as db:
        for number in (7, 8):
            roster.save(db, patient(number))
            roster.bind(db, f"P{number}", [(card, f"b-{number}")])
        found = roster.patient_of_card(db, [card])
        assert found is not None
        assert found[0].patient_id == "P8"
        roster.unbind(db, "P7", [card])
        assert roster.patient_of_card(db, [card]) is not None
        roster.unbind(db, "P8", [card], "b-6")
        assert roster.patient_of_card(db, [card]) is not None, "by a newer binding than that"
        roster.unbind(db, "P8", [card], "b-8")
        assert roster.patient_of_card(db, [card]) is None


def test_cards_are_forgotten_one_by_one_or_all_together(store: Store):
    first, second = CardHash("k1", "aa"), CardHash("k1", "bb")
    with store.write() as db:
        roster.save(db, patient(7))
        roster.bind(db, "P7", [(first, None), (second, None)])
        roster.unbind(db, "P7", [first])
        assert roster.patient_of_card(db, [first]) is None
        assert roster.patient_of_card(db, [second]) is not None
        roster.unbind(db, "P7")
        assert roster.patient_of_card(db, [second]) is None


def test_who_is_forgotten_goes_with_cards_and_entries(store: Store):
    with store.write() as db:
        roster.save(db, patient(7))
        roster.bind(db, "P7", [(CardHash("k1", "aa"), None)])
        roster.forget(db, "P7")
        for table in ("patients", "bindings", "entries"):
            assert db.execute(f"select count(*) from {table} where patient_id = 'P7'").fetchone()[0] == 0


def test_a_line_is_made_of_the_entries_of_its_exam_of_that_day(store: Store):
    yesterday = "2026-03-01"
    with store.write() as db:
        roster.save(db, patient(7))
        other = Journey(PatientId("P8"), "WAITING", TODAY, entries=(entry("B-008", "BLOOD"),))
        roster.save(db, patient(8, view=other))
        old = Journey(PatientId("P9"), "WAITING", yesterday, entries=(entry("B-009"),))
        roster.save(db, patient(9, view=old))
        assert [e.queue_number for e in roster.line_of(db, "XRAY", TODAY)] == ["B-007"]
        assert [e.queue_number for e in roster.line_of(db, "BLOOD", TODAY)] == ["B-008"]
        assert [e.queue_number for e in roster.line_of(db, "XRAY", yesterday)] == ["B-009"]
        roster.save(db, patient(7, view=Journey(PatientId("P7"), "COMPLETED", TODAY)))
        assert roster.line_of(db, "XRAY", TODAY) == ()


def test_an_entry_that_moves_to_another_patient_is_theirs_alone(store: Store):
    with store.write() as db:
        roster.save(db, patient(7))
        moved = Journey(PatientId("P8"), "WAITING", TODAY, entries=(entry("B-007"),))
        roster.save(db, patient(8, view=moved))
        roster.forget(db, "P7")
        assert [e.queue_number for e in roster.line_of(db, "XRAY", TODAY)] == ["B-007"]


def test_a_page_moves_cursor_and_grants_and_the_roster_is_as_of_its_last_page(store: Store):
    with store.write() as db:
        later = samples.at("10:00")
        roster.follow(
            db, page(cursor=7, more=True, now_ms=later, actions=("scan_nfc",), server_incarnation="two"), CLOCK
        )
        identity = roster.identity(db)
        assert identity is not None
        assert (identity.cursor, identity.as_of_ms) == (7, samples.at("09:00"))
        assert (identity.actions, identity.server_incarnation) == (frozenset({"scan_nfc"}), "two")
        roster.follow(db, page(cursor=8, now_ms=later), CLOCK)
        identity = roster.identity(db)
        assert identity is not None
        assert (identity.cursor, identity.as_of_ms) == (8, later)


def test_a_pulled_row_has_nothing_pending_on_top():
    pulled = roster.pulled(row(7))
    assert pulled.base == pulled.view == row(7).journey
    assert not pulled.provisional
