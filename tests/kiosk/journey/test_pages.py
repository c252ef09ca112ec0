"""Pages of the roster: rows, cards and rules, snapshots, and pages that are not for this kiosk."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from kiosk.journey.journeys import CardRefused
from kiosk.journey.pages import shows_loss
from sync.journey.definitions import DefinitionsError
from sync.journey.model import PatientId, VisitId
from sync.protocol import Code, Renamed, Verdict
from tests.kiosk.journey.small_kiosk import HOUR, NEXT_DAY, SmallKiosk, journey, new_rules
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
    """The cursors may be equal by chance, after a restore of the centre and of the kiosk's own disk."""
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
    assert kiosk.state("P1") == "ARRIVED", "kept until their action has its verdict"
    assert kiosk.parts.pending() == 1
    # Back in the roster, the pending action is on top of the base.
    kiosk.pull(row(1))
    assert kiosk.state("P1") == "ARRIVED"


def test_a_patient_who_was_last_shown_under_a_clock_that_was_ahead_is_shown_again(kiosk: SmallKiosk):
    right = kiosk.clock.reading
    kiosk.clock.forward(24 * HOUR)
    kiosk.tap(1)
    kiosk.clock.reading = right
    assert kiosk.pull() == {"P1"}
    assert kiosk.patient_status("P1").journey.site_day == TODAY


def test_numbers_that_were_given_under_a_clock_that_was_ahead_are_of_the_day_that_the_centre_names(kiosk: SmallKiosk):
    right = kiosk.clock.reading
    kiosk.clock.forward(5 * 24 * HOUR)
    kiosk.tap(1, "scan_nfc", "register", "confirm_arrival")
    assert kiosk.one("select max(site_day) from queue_numbers") > NEXT_DAY
    kiosk.clock.reading = right
    kiosk.pull()
    assert kiosk.one("select max(site_day) from queue_numbers") == TODAY


def test_of_two_pages_at_one_version_the_later_one_counts(kiosk: SmallKiosk):
    kiosk.pull(row(1, journey=journey(1, "UNREGISTERED", 5)))
    moved = replace(journey(1, "UNREGISTERED", 5), appointments=(booking(1, time_of_day="15:00"),))
    kiosk.pull(row(1, journey=moved))
    assert kiosk.base("P1") == moved


def test_a_patient_who_has_left_the_roster_and_has_nothing_pending_is_forgotten(kiosk: SmallKiosk):
    assert kiosk.pull(gone=("P2",)) == {"P2"}
    assert kiosk.knows() == {"P1", "P3"}


def test_a_patient_whose_last_verdict_comes_with_new_rules_is_shown_by_it(kiosk: SmallKiosk):
    (scan,) = kiosk.tap(1)
    verdict = kiosk.judge(scan, verdict=Verdict.SUPERSEDED, code=Code.MOVED_ON)
    assert kiosk.pull(definitions=new_rules(never_in=["ARRIVED"]), verdicts=(verdict,)) == {"P1"}
    assert (kiosk.state("P1"), kiosk.parts.pending()) == ("UNREGISTERED", 0)


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


# Other names of patients, and cards.


def merged(kept: int, gone: int) -> tuple[Renamed, ...]:
    """The news that one record was merged into another."""
    return (Renamed(PatientId(f"P{gone}"), PatientId(f"P{kept}")),)


def test_a_record_that_a_page_merges_is_another_name_of_the_record_that_was_kept(kiosk: SmallKiosk):
    (scan,) = kiosk.tap(2)
    touched = kiosk.pull(renamed=merged(1, 2))
    assert touched == {"P1"}
    assert (kiosk.parts.resolve("P2"), kiosk.knows()) == ("P1", {"P1", "P3"})
    assert kiosk.state("P1") == "ARRIVED", "the pending action moved with the record"
    assert kiosk.one("select patient_id from outbox") == "P1"
    assert kiosk.intent(scan.action_id).patient_id == "P2", "what was done stays as it was written"


def test_an_id_that_a_page_names_is_a_patients_own_again(kiosk: SmallKiosk):
    """A restored centre has lost the merge of two records."""
    kiosk.pull(renamed=merged(1, 2))
    kiosk.pull(row(2))
    assert kiosk.parts.resolve("P2") == "P2"
    (scan,) = kiosk.tap(2)
    assert scan.patient_id == "P2"
    assert (kiosk.state("P2"), kiosk.state("P1")) == ("ARRIVED", "UNREGISTERED")


def test_a_merge_and_the_row_of_the_kept_record_come_in_one_page(kiosk: SmallKiosk):
    kiosk.tap(2, "scan_nfc", "register")
    touched = kiosk.pull(row(1, journey=journey(1, "UNREGISTERED", 3)), renamed=merged(1, 2))
    assert touched == {"P1"}
    assert (kiosk.base("P1").journey_version, kiosk.state("P1")) == (3, "REGISTERED")


def test_a_card_that_a_row_does_not_name_any_more_opens_nobody(kiosk: SmallKiosk):
    assert kiosk.parts.patient_of_card(cards(1)) == "P1"
    kiosk.pull(row(1, bindings=()))
    assert kiosk.parts.patient_of_card(cards(1)) is None


def test_a_card_that_two_rows_name_one_after_the_other_is_the_last_ones(kiosk: SmallKiosk):
    kiosk.pull(row(1, bindings=()), row(2, bindings=row(1).bindings))
    assert kiosk.parts.patient_of_card(cards(1)) == "P2"
    (scan,) = kiosk.tap(1)
    assert (scan.patient_id, scan.binding_id) == ("P2", "b-1")


def opens_nobody(kiosk: SmallKiosk, number: int) -> bool:
    """Whether a card is refused as one that was reported lost."""
    return isinstance(kiosk.journeys.tap(cards(number), ("scan_nfc",)), CardRefused)


def test_the_holder_of_a_card_that_a_page_blocks_is_shown_again(kiosk: SmallKiosk):
    assert kiosk.pull(blocked=cards(1)) == {"P1"}
    assert opens_nobody(kiosk, 1)
    assert kiosk.pull(unblocked=cards(1)) == frozenset()
    assert not opens_nobody(kiosk, 1)


def test_a_card_that_a_page_blocks_and_unblocks_is_blocked(kiosk: SmallKiosk):
    kiosk.pull(blocked=cards(1), unblocked=cards(1))
    assert opens_nobody(kiosk, 1)


def test_a_card_stays_blocked_until_a_whole_snapshot_has_not_named_it(kiosk: SmallKiosk):
    kiosk.pull(blocked=cards(1))
    kiosk.ledger.adopt(page(row(1), cursor=50, reset=True, more=True, asked_cursor=2))
    assert opens_nobody(kiosk, 1)
    kiosk.ledger.adopt(page(from_cursor=50, cursor=51))
    assert not opens_nobody(kiosk, 1)


# Pages that are not for this kiosk.


def test_the_page_of_another_site_changes_nothing(kiosk: SmallKiosk):
    assert kiosk.pull(row(7), site_id="another") is None
    assert kiosk.knows() == {"P1", "P2", "P3"}


def test_a_page_that_was_under_way_when_the_kiosk_ended_brings_nobody_back(kiosk: SmallKiosk):
    kiosk.ledger.end()
    assert kiosk.knows() == set()
    assert kiosk.pull(row(1)) is None
    assert kiosk.knows() == set()


# A centre that has lost what it answered.


@pytest.mark.parametrize(
    ("changes", "answered", "lost"),
    [
        ({"last_seq": 1}, 2, True),
        ({"last_seq": 2}, 2, False),
        ({"last_seq": None}, 2, False),
        ({"last_seq": 1, "epoch": 2}, 2, False),
        ({"last_seq": 1, "server_incarnation": "two"}, 2, False),
    ],
    ids=["fewer than were answered", "all", "no chain", "another chain", "a restore that the centre tells of"],
)
def test_a_chain_that_is_shorter_than_the_answers_shows_a_loss(
    kiosk: SmallKiosk, changes: dict[str, Any], answered: int, lost: bool
):
    identity = kiosk.journeys.identity
    assert identity is not None
    assert shows_loss(page(**changes), identity, 1, answered) is lost


def test_an_answer_to_a_question_of_an_earlier_epoch_shows_no_loss(kiosk: SmallKiosk):
    identity = kiosk.journeys.identity
    assert identity is not None
    for epoch in (None, 2):
        assert not shows_loss(page(last_seq=1), identity, epoch, 2)


# Snapshots.


def test_a_patient_whom_a_snapshot_does_not_name_has_neither_cards_nor_bookings(kiosk: SmallKiosk):
    kiosk.pull(row(1, journey=journey(1, "UNREGISTERED", 3), tomorrow=(booking(1, "BLOOD"),)))
    kiosk.tap(1)
    kiosk.ledger.adopt(page(row(7), cursor=50, reset=True, asked_cursor=2))
    assert kiosk.state("P1") == "ARRIVED"
    base = kiosk.base("P1")
    assert (base.patient_id, base.state, base.site_day, base.journey_version) == ("P1", "UNREGISTERED", TODAY, 0)
    assert (base.appointments, kiosk.patient_status("P1").patient.tomorrow) == ((), ())
    assert kiosk.patient_status("P1").journey.appointments == (), "the view is replayed on the empty base"
    assert kiosk.parts.patient_of_card(cards(1)) is None


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
    again = KioskParts(kiosk.store, kiosk.clock)  # the process ended before the snapshot did
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
