"""Imports about a record that staff have merged into another, up to the rows at a kiosk."""

from __future__ import annotations

import msgspec
import pytest

from kiosk.store import patients
from sync.central.imports.whole import DocumentError, ImportReport, read_hospital, take_hospital
from sync.clock import day_after
from tests.sync.central.wire import DAY, Centre, Kiosk, cards_of, hospital

NOTHING = ImportReport(0, 0, 0, 0)


def take(centre: Centre, document: dict[str, object]) -> ImportReport:
    with centre.store.write() as db:
        return take_hospital(db, centre.definitions, centre.parts.keys, read_hospital(document), centre.time())


def booking(appointment_id: str, patient_id: str, at: str = f"{DAY}T12:00", exam_id: str = "X") -> dict[str, str]:
    return {"appointment_id": appointment_id, "patient_id": patient_id, "exam_id": exam_id, "scheduled_at": at}


@pytest.fixture
def merged(centre: Centre) -> Centre:
    """P2's record was merged into P1's, and the hospital does not know of it."""
    assert centre.merge("P1", "P2").done
    return centre


def test_the_hospitals_document_taken_again_after_a_merge_changes_nothing(merged: Centre):
    before = merged.rows("select * from journeys")
    assert take(merged, hospital()) == NOTHING
    assert merged.rows("select * from journeys") == before
    assert [row["patient_id"] for row in merged.rows("select patient_id from patients")] == ["P1", "P3"]


def test_the_record_that_was_kept_keeps_its_own_name_and_language(merged: Centre):
    patients = [
        {"patient_id": "P2", "name": "Somebody Else", "language": "en", "cards": []},
        {"patient_id": "P1", "name": "Person P1", "cards": []},
    ]
    for _ in range(2):
        assert take(merged, {"patients": patients}) == NOTHING
    names = merged.rows("select name, language from patients where patient_id = 'P1'")
    assert names == [{"name": "Person P1", "language": "ko"}]


def test_a_booking_and_a_card_of_the_merged_record_reach_the_kiosk_as_the_others(merged: Centre, kiosk: Kiosk):
    more = {
        "patients": [{"patient_id": "P2", "name": "Person P2", "cards": [b"\0\0P9".hex()]}],
        "appointments": [booking("A9", "P2"), booking("A3", "P2", f"{DAY}T11:30")],
    }
    assert take(merged, more) == msgspec.structs.replace(NOTHING, cards=1, appointments=2)
    assert take(merged, more) == NOTHING
    kiosk.pull()
    base = kiosk.base("P1")
    assert base is not None
    assert [a.appointment_id for a in base.appointments] == ["A1", "A3", "A9", "A2"]
    assert kiosk.base("P2") is None
    for card in ("P1", "P2", "P9"):
        with kiosk.store.read() as db:
            found = patients.read_holder(db, cards_of(card))
        assert found is not None
        assert found.patient.patient_id == "P1"


def test_a_new_kiosk_holds_the_one_record(merged: Centre, kiosk: Kiosk):
    take(merged, {"appointments": [booking("A9", "P2")]})
    merged.time.pass_minutes(24 * 60)
    take(merged, {"appointments": [booking("A10", "P2", f"{day_after(DAY)}T12:00")]})
    kiosk.pull()
    base = kiosk.base("P1")
    assert base is not None
    assert [a.appointment_id for a in base.appointments] == ["A10"]
    assert kiosk.base("P2") is None


def test_a_booking_of_an_unknown_or_of_another_patient_is_still_refused(merged: Centre):
    for wrong, said in (
        (booking("A9", "P7"), "unknown patient: P7"),
        (booking("A9", "P2", exam_id="Z"), "unknown exam: Z"),
        (booking("A3", "P3"), "another patient's"),
    ):
        with pytest.raises(DocumentError, match=said):
            take(merged, {"appointments": [wrong]})
