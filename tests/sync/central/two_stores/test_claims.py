"""A kiosk that lies: what it says of itself alone is believed, and the rest is set aside and changes nothing."""

from __future__ import annotations

import pytest

from sync.central.imports.parts import Kind
from sync.central.imports.portion import PortionRow, take_rows
from sync.ids import new_id, provisional_id
from sync.journey.model import PatientId
from sync.protocol import Code, Verdict
from tests.sync.central.two_stores.acts import rewrite_last
from tests.sync.central.wire import Centre, Kiosk, cards_of


def arrive(kiosk: Kiosk) -> None:
    """P1 is registered at the centre too, and the kiosk has given a number."""
    kiosk.tap("P1")
    kiosk.act("P1", "register")
    kiosk.sync()
    kiosk.act("P1", "confirm_arrival")


BY_ID = "its id for the holder of an unknown card is not one that a kiosk makes"
NO_NUMBER = "its queue number is none"
ANOTHERS = "its queue number is another kiosk's, or the centre's"


def refused(centre: Centre, kiosk: Kiosk, **lies: object) -> str:
    """The reason for staff why the last action, with these lies in it, is set aside. The journeys stay as they were."""
    before = centre.rows("select * from journeys")
    with kiosk.store.write() as db:
        rewrite_last(db, **lies)
    kiosk.push()
    assert kiosk.last() == (Verdict.NEEDS_STAFF, Code.QUARANTINED)
    assert centre.rows("select * from journeys") == before
    assert centre.rows("select * from patient_aliases") == []
    (row,) = centre.rows("select reason from quarantine")
    return str(row["reason"])


def test_an_id_of_the_hospitals_form_does_not_become_another_name_of_a_cards_holder(centre: Centre, kiosk: Kiosk):
    kiosk.tap("P1")
    lies = {"patient_id": "P9", "provisional": True, "card": cards_of("P1")[0], "binding_id": None}
    assert refused(centre, kiosk, **lies) == BY_ID
    (result,) = take_rows(centre.parts, [PortionRow(Kind.PATIENT, 1, {"patient_id": "P9", "name": "Sample Person"})])
    assert result.changed
    assert centre.journey("P9").appointments == ()


def test_a_document_names_no_patient_by_an_id_of_the_kiosks_form(centre: Centre):
    row = PortionRow(Kind.PATIENT, 1, {"patient_id": provisional_id(), "name": "Sample Person"})
    (result,) = take_rows(centre.parts, [row])
    assert "the form that kiosks give" in result.refused


def test_the_holder_of_a_card_that_only_the_centre_knows_is_found_by_an_id_of_the_kiosk(centre: Centre, kiosk: Kiosk):
    name = PatientId(provisional_id())
    kiosk.journeys.check_in_unknown(name, cards_of("P3"), "scan_nfc", new_id())
    kiosk.sync()
    assert kiosk.last() == (Verdict.APPLIED, Code.OK)
    assert centre.rows("select alias_id, patient_id from patient_aliases") == [{"alias_id": name, "patient_id": "P3"}]


@pytest.mark.parametrize(
    "number",
    [
        "<script>alert(1)</script>",
        "\u202eA-001",
        "A-001 ",
        "a-001",
        "A-1",
        "A001",
        "A-000",
        "A-100000",
        "A-٠٠١",
        "VIP",
        "-001",
    ],
)
def test_a_queue_number_is_a_prefix_and_a_count(centre: Centre, kiosk: Kiosk, number: str):
    arrive(kiosk)
    assert refused(centre, kiosk, queue_number=number) == NO_NUMBER


def test_a_queue_number_is_no_other_kiosks(centre: Centre, kiosk: Kiosk):
    other = centre.enrol("H")
    arrive(kiosk)
    assert refused(centre, kiosk, queue_number=f"{other.ticket_prefix}-001") == ANOTHERS


def test_a_queue_number_is_not_the_centres(centre: Centre, kiosk: Kiosk):
    (site,) = centre.rows("select ticket_prefix from site")
    arrive(kiosk)
    assert refused(centre, kiosk, queue_number=f"{site['ticket_prefix']}-001") == ANOTHERS


def test_a_number_of_a_prefix_that_a_restore_has_lost_is_the_kiosks_own(centre: Centre, kiosk: Kiosk):
    arrive(kiosk)
    with kiosk.store.write() as db:
        rewrite_last(db, queue_number="QQ-017")
    kiosk.push()
    assert kiosk.last() == (Verdict.APPLIED, Code.OK)
