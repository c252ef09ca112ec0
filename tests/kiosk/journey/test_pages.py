"""Pages of the roster: rows, cards and rules, snapshots, and pages that are not for this kiosk."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from sync.journey.definitions import DefinitionsError
from sync.journey.model import PatientId, VisitId
from tests.kiosk.journey.small_kiosk import SmallKiosk, journey, new_rules
from tests.kiosk.parts import KioskParts
from tests.kiosk.samples import GRANTS, SITE, TODAY, at, booking, cards, page, row

# Pages.


def test_a_page_brings_rows_bindings_and_what_is_pending_on_top(kiosk: SmallKiosk):
    kiosk.tap(1, "scan_nfc", "register")
    moved = row(1, masked_name="홍*순", language="en", journey=journey(1, "UNREGISTERED", 3))
    assert kiosk.pull(moved) == {"P1"}
    status = kiosk.patient_status("P1")
    assert (status.patient.masked_name, status.patient.language) == ("홍*순", "en")
    assert (status.patient.base.journey_version, status.journey.state, status.pending) == (
        3,
        "REGISTERED",
        2,
    )


def test_a_page_that_does_not_start_at_the_cursor_changes_nothing(kiosk: SmallKiosk):
    before = (kiosk.cursor, kiosk.knows())
    for start in (0, 2, 99):
        assert kiosk.ledger.adopt(page(row(7), from_cursor=start, cursor=100, reset=False, asked_cursor=1)) is None
    assert (kiosk.cursor, kiosk.knows()) == before


def test_a_snapshot_that_was_asked_for_from_elsewhere_changes_nothing(kiosk: SmallKiosk):
    kiosk.pull(row(4))
    late = page(row(7), cursor=1, reset=True, asked_cursor=0, now_ms=at("09:00", "2026-03-01"))
    assert kiosk.ledger.adopt(late) is None
    assert (kiosk.cursor, kiosk.knows()) == (2, {"P1", "P2", "P3", "P4"})
    assert kiosk.ledger.adopt(page(row(7), cursor=9, reset=True, asked_cursor=2)) is not None


def test_the_roster_of_another_life_of_the_centre_does_not_go_on_with_this_one(kiosk: SmallKiosk):
    """The cursors may be the same by chance: after a restore, where the kiosk's own disk was set back too."""
    assert kiosk.pull(row(7), server_incarnation="two") is None
    assert kiosk.knows() == {"P1", "P2", "P3"}


def test_a_check_in_under_a_clock_that_was_ahead_counts_on_any_day(kiosk: SmallKiosk):
    """A late page may be of yesterday, and the next one of today."""
    stranger = kiosk.journeys.check_in_unknown(PatientId("card-1"), cards(9), "scan_nfc", None).patient_id
    for day in ("2026-03-01", TODAY):
        kiosk.pull(now_ms=at("09:00", day))
        assert kiosk.state(stranger) == "ARRIVED"
        assert kiosk.patient_status(stranger).journey.site_day == day


def test_a_page_that_was_on_its_way_while_a_verdict_told_a_newer_journey_does_not_set_it_back(kiosk: SmallKiosk):
    (scan,) = kiosk.tap(1)
    centre_journey = journey(1, "ARRIVED", 5, visit_id=VisitId(scan.visit_id))
    kiosk.ledger.retire([kiosk.judge(scan, centre_journey)])
    kiosk.pull(row(1, masked_name="새*름", journey=journey(1, "UNREGISTERED", 4)))
    assert (kiosk.base("P1"), kiosk.patient_status("P1").patient.masked_name) == (centre_journey, "새*름")


def test_at_the_same_version_the_page_counts_since_a_booking_may_have_moved(kiosk: SmallKiosk):
    (scan,) = kiosk.tap(1)
    centre_journey = journey(1, "ARRIVED", 5, visit_id=VisitId(scan.visit_id))
    moved = replace(centre_journey, appointments=(booking(1, time_of_day="15:00"),))
    kiosk.pull(row(1, journey=moved))
    kiosk.ledger.retire([kiosk.judge(scan, centre_journey)])
    assert kiosk.base("P1") == moved


def test_who_has_left_the_roster_is_kept_while_something_of_theirs_is_pending(kiosk: SmallKiosk):
    kiosk.tap(1)
    assert kiosk.pull(gone=("P1", "nobody")) == {"P1", "nobody"}
    assert kiosk.state("P1") == "ARRIVED", "kept until what they did has its verdict"
    assert kiosk.parts.pending() == 1
    # Back in the roster, the pending action is on top of the base.
    kiosk.pull(row(1))
    assert kiosk.state("P1") == "ARRIVED"


def test_new_grants_count_from_the_page_that_brings_them_for_what_is_pending_too(kiosk: SmallKiosk):
    kiosk.tap(1, "scan_nfc", "register")
    kiosk.pull(row(1), actions=("scan_nfc",))
    assert kiosk.state("P1") == "ARRIVED"
    kiosk.pull(row(1), actions=GRANTS)
    assert kiosk.state("P1") == "REGISTERED"


def test_new_rules_count_from_the_page_that_brings_them_for_everybody_with_something_pending(kiosk: SmallKiosk):
    kiosk.tap(1, "scan_nfc", "register")
    kiosk.tap(2)
    assert kiosk.pull(definitions=new_rules(never_in=["ARRIVED"])) == {"P1", "P2"}
    assert kiosk.journeys.definitions.version == 2
    assert kiosk.state("P1") == "ARRIVED"
    (scan,) = kiosk.tap(3)
    assert scan.definitions_version == 2
    assert KioskParts(kiosk.store, kiosk.clock).kiosk.definitions.version == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"definitions": {"version": 2}},
        {"definitions": new_rules(sparkle=True)},
        {"site": msgspec.structs.replace(SITE, timezone="Mars/Olympus")},
        {"site": msgspec.structs.replace(SITE, day_starts_at="four")},
        {"cursor": 10**30},
    ],
)
def test_a_page_that_cannot_be_used_changes_nothing_and_the_kiosk_goes_on(kiosk: SmallKiosk, changes: dict[str, Any]):
    values = {"cursor": 2, **changes}
    with pytest.raises((DefinitionsError, KeyError, ValueError, OverflowError)):
        kiosk.ledger.adopt(page(row(7), from_cursor=1, **values))
    assert (kiosk.cursor, kiosk.journeys.definitions.version) == (1, 1)
    assert kiosk.parts.patient_of_card(cards(7)) is None
    kiosk.tap(1)
    assert kiosk.state("P1") == "ARRIVED"


# Snapshots.


def test_a_reset_forgets_everybody_but_those_with_something_pending(kiosk: SmallKiosk):
    kiosk.tap(1)
    touched = kiosk.ledger.adopt(page(row(7), cursor=50, reset=True, asked_cursor=1))
    assert touched == {"P1", "P2", "P3", "P7"}
    assert kiosk.knows() == {"P1", "P7"}
    assert kiosk.cursor == 50
    assert kiosk.state("P1") == "ARRIVED"


def test_a_snapshot_that_is_interrupted_leaves_everybody_known(kiosk: SmallKiosk):
    kiosk.ledger.adopt(page(row(7), cursor=50, reset=True, more=True, asked_cursor=1))
    assert kiosk.knows() == {"P1", "P2", "P3", "P7"}
    again = KioskParts(kiosk.store, kiosk.clock)  # the process ended meanwhile
    assert again.journeys.tap(cards(2), ("scan_nfc",)) is not None
    again.ledger.adopt(page(row(3), from_cursor=50, cursor=51))
    assert kiosk.knows() == {"P2", "P3", "P7"}, "P2 has something pending"
    assert kiosk.state("P2") == "ARRIVED"


def test_after_a_restore_a_lower_version_counts_on_any_page_of_the_snapshot(kiosk: SmallKiosk):
    kiosk.pull(row(1, journey=journey(1, "UNREGISTERED", 30)))
    kiosk.tap(1)
    kiosk.ledger.adopt(page(row(7), cursor=5, reset=True, more=True, server_incarnation="two", asked_cursor=2))
    kiosk.ledger.adopt(
        page(row(1, journey=journey(1, "UNREGISTERED", 12)), from_cursor=5, cursor=6, server_incarnation="two")
    )
    assert kiosk.base("P1").journey_version == 12
    (register,) = kiosk.tap(1, "register")
    assert register.base_version == 12
