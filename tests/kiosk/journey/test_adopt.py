"""What the centre says, brought into the kiosk: verdicts, pages, resets, restores, enrolments and new epochs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kiosk.journey.adopt import KEPT_MS
from kiosk.journey.journeys import Journeys, NotEnrolled
from kiosk.journey.patient_status import PatientStatus
from kiosk.store.sqlite import Store
from sync.cards import CardHash
from sync.clock import ClockReading
from sync.journey.definitions import DefinitionsError, shipped
from sync.journey.model import Journey, PatientId, VisitId
from sync.protocol import BindingRow, Code, Intent, Verdict, VerdictRow, chain_hash
from tests.kiosk import samples
from tests.kiosk.samples import GRANTS, SITE, TODAY, Clock, at, booking, cards, enrolment, entry, page, row
from tests.site_rules import with_changed

HOUR = 3_600_000
NEXT_DAY = "2026-03-03"


class Kiosk:
    """A kiosk with three patients, and the centre's words for it."""

    def __init__(self, directory: Path) -> None:
        self.clock = Clock()
        self.store, self.journeys = samples.enrolled(directory, self.clock)

    @property
    def cursor(self) -> int:
        assert self.journeys.identity is not None
        return self.journeys.identity.cursor

    def tap(self, number: int, *automatic: str) -> list[Intent]:
        """A tap; returns what it did."""
        tapped = self.journeys.tap(cards(number), automatic or ("scan_nfc",))
        assert tapped is not None
        return [self.intent(action_id) for action_id in tapped.action_ids]

    def intent(self, action_id: str) -> Intent:
        with self.store.read() as db:
            body = db.execute("select body from outbox where action_id = ?", (action_id,)).fetchone()[0]
        return msgspec.json.decode(body, type=Intent)

    def judge(self, intent: Intent, journey: Journey | None = None, **changes: Any) -> VerdictRow:
        values: dict[str, Any] = {
            "action_id": intent.action_id,
            "seq": intent.seq,
            "verdict": Verdict.APPLIED,
            "code": Code.OK,
            "patient_id": intent.patient_id,
            "visit_id": intent.visit_id,
            "journey": journey,
        }
        return VerdictRow(**values | changes)

    def pull(self, *rows: Any, **changes: Any) -> frozenset[PatientId] | None:
        """The next page."""
        return self.journeys.adopt(page(*rows, from_cursor=self.cursor, cursor=self.cursor + 1, **changes))

    def patient_status(self, patient_id: str) -> PatientStatus:
        found = self.journeys.patient_status(patient_id)
        assert found is not None
        return found

    def state(self, patient_id: str) -> str:
        return self.patient_status(patient_id).journey.state

    def base(self, patient_id: str) -> Journey:
        return self.patient_status(patient_id).patient.base

    def knows(self) -> set[str]:
        with self.store.read() as db:
            return {r[0] for r in db.execute("select patient_id from patients")}

    def one(self, statement: str) -> Any:
        with self.store.read() as db:
            return db.execute(statement).fetchone()[0]


@pytest.fixture
def kiosk(tmp_path: Path) -> Iterator[Kiosk]:
    made = Kiosk(tmp_path)
    yield made
    made.store.close()


def journey(number: int, state: str, version: int, **changes: Any) -> Journey:
    return replace(
        Journey(PatientId(f"P{number}"), state, TODAY, journey_version=version, appointments=(booking(number),)),
        **changes,
    )


# Verdicts.


def test_a_verdict_retires_its_row_and_the_base_follows_what_it_tells(kiosk: Kiosk):
    (scan,) = kiosk.tap(1)
    told = journey(1, "ARRIVED", 4, visit_id=VisitId(scan.visit_id))
    assert kiosk.journeys.settle([kiosk.judge(scan, told)]) == {"P1"}
    status = kiosk.patient_status("P1")
    assert (status.journey, status.patient.base, status.pending) == (told, told, 0)
    (register,) = kiosk.tap(1, "register")
    assert (register.base_version, register.visit_id, register.leg) == (4, scan.visit_id, 0)
    assert kiosk.one("select detail from audit where kind = 'verdict'") == "applied ok"


def test_a_verdict_that_came_before_touches_nobody(kiosk: Kiosk):
    (scan,) = kiosk.tap(1)
    verdict = kiosk.judge(scan, journey(1, "ARRIVED", 4))
    kiosk.journeys.settle([verdict])
    assert kiosk.journeys.settle([verdict]) == frozenset()
    assert kiosk.journeys.settle([]) == frozenset()


def test_verdicts_of_several_actions_leave_the_newest_journey_whatever_their_order(kiosk: Kiosk):
    scan, register, confirm = kiosk.tap(1, *GRANTS)
    visit = VisitId(scan.visit_id)
    verdicts = [
        kiosk.judge(scan, journey(1, "ARRIVED", 1, visit_id=visit)),
        kiosk.judge(register, journey(1, "REGISTERED", 2, visit_id=visit)),
        kiosk.judge(confirm, journey(1, "WAITING", 3, visit_id=visit, leg=1)),
    ]
    kiosk.journeys.settle([verdicts[2], verdicts[0], verdicts[1]])
    assert (kiosk.base("P1").journey_version, kiosk.state("P1")) == (3, "WAITING")


def test_a_journey_of_somebody_else_in_a_verdict_is_not_taken_over(kiosk: Kiosk):
    (scan,) = kiosk.tap(1)
    kiosk.journeys.settle(
        [kiosk.judge(scan, journey(2, "FINISHED", 40), verdict=Verdict.NEEDS_STAFF, code=Code.REBOUND)]
    )
    assert kiosk.base("P1").journey_version == 0
    assert kiosk.base("P2").journey_version == 0


def test_a_superseded_action_shows_what_the_centre_says(kiosk: Kiosk):
    intents = kiosk.tap(1, *GRANTS)
    called = journey(
        1,
        "CALLED",
        6,
        visit_id=VisitId(intents[0].visit_id),
        leg=1,
        current_queue_id="q-A",
        entries=(entry("A", state="called"),),
    )
    kiosk.journeys.settle([kiosk.judge(i, called, verdict=Verdict.SUPERSEDED, code=Code.MOVED_ON) for i in intents])
    status = kiosk.patient_status("P1")
    assert (status.journey.state, len(status.reversals), status.needs_staff) == (
        "CALLED",
        3,
        False,
    )


def test_an_action_that_needs_staff_is_kept_and_said_so_and_a_later_revision_settles_it(kiosk: Kiosk):
    (scan,) = kiosk.tap(1)
    kiosk.journeys.settle([kiosk.judge(scan, verdict=Verdict.NEEDS_STAFF, code=Code.NOT_ALLOWED)])
    status = kiosk.patient_status("P1")
    assert (status.needs_staff, status.pending, status.journey.state) == (
        True,
        0,
        "UNREGISTERED",
    )
    settled = kiosk.judge(scan, journey(1, "ARRIVED", 9), revision=1)
    assert kiosk.pull(verdicts=(settled,)) == {"P1"}
    status = kiosk.patient_status("P1")
    assert (status.needs_staff, status.journey.state) == (False, "ARRIVED")


def test_a_visit_that_was_opened_elsewhere_first_is_followed_by_all_that_is_pending(kiosk: Kiosk):
    scan, register = kiosk.tap(1, "scan_nfc", "register")
    theirs = VisitId("theirs")
    alias = kiosk.judge(
        scan, journey(1, "ARRIVED", 5, visit_id=theirs), verdict=Verdict.MERGED, code=Code.VISIT_ALIAS, visit_id=theirs
    )
    kiosk.journeys.settle([alias])
    status = kiosk.patient_status("P1")
    assert (status.journey.state, status.journey.visit_id, status.pending) == (
        "REGISTERED",
        "theirs",
        1,
    )
    assert kiosk.intent(register.action_id).visit_id == scan.visit_id
    (confirm,) = kiosk.tap(1, "confirm_arrival")
    assert (confirm.visit_id, confirm.leg, confirm.base_version) == ("theirs", 0, 5)


def test_verdicts_of_a_centre_that_was_restored_since_are_worth_nothing(kiosk: Kiosk):
    (scan,) = kiosk.tap(1)
    verdict = kiosk.judge(scan, journey(1, "ARRIVED", 4))
    assert kiosk.journeys.settle([verdict], 1, incarnations=("older", "old")) == frozenset()
    assert (kiosk.journeys.pending(), kiosk.one("select backed_up_seq from identity")) == (1, 0)
    assert kiosk.journeys.settle([verdict], 1, incarnations=("one", "two")) == {"P1"}
    assert kiosk.one("select backed_up_seq from identity") == 1


def test_how_far_backups_reach_in_another_epoch_says_nothing_of_this_one(kiosk: Kiosk):
    kiosk.journeys.settle([], 5, epoch=9)
    assert kiosk.one("select backed_up_seq from identity") == 0


# Cards.


def test_a_provisional_patient_turns_out_to_be_a_real_one(kiosk: Kiosk):
    kiosk.journeys.check_in_unknown(PatientId("card-9"), cards(9), "scan_nfc", None)
    kiosk.pull(row(7))
    scan = kiosk.intent(kiosk.one("select action_id from outbox"))
    told = replace(row(7).journey, state="ARRIVED", journey_version=2, visit_id=VisitId(scan.visit_id))
    assert kiosk.journeys.settle([kiosk.judge(scan, told, patient_id="P7")]) == {"card-9", "P7"}
    assert kiosk.journeys.patient_status("card-9") is None
    assert kiosk.state("P7") == "ARRIVED"
    assert kiosk.one("select patient_id from outbox") == "P7"
    # The same press repeated is answered for whom it was.
    again = kiosk.journeys.check_in_unknown(PatientId("card-9"), cards(9), "scan_nfc", scan.action_id)
    assert (again.patient_id, again.repeated) == ("P7", True)


def test_a_stranger_turns_out_to_be_somebody_who_leaves_the_roster_with_the_same_page(kiosk: Kiosk):
    """What the stranger has done today is theirs from then on, and is shown."""
    kiosk.tap(1)
    kiosk.journeys.check_in_unknown(PatientId("card-9"), cards(9), "scan_nfc", None)
    scan = kiosk.intent(kiosk.one("select action_id from outbox where patient_id = 'card-9'"))
    waits = kiosk.judge(scan, verdict=Verdict.NEEDS_STAFF, code=Code.UNKNOWN_CARD, patient_id=None)
    kiosk.journeys.settle([waits])
    kiosk.clock.forward(24 * HOUR)
    kiosk.tap(9)
    assert (kiosk.state("P1"), kiosk.state("card-9")) == ("UNREGISTERED", "ARRIVED")
    kiosk.pull(gone=("P1",), verdicts=(kiosk.judge(scan, patient_id="P1", revision=1),), now_ms=at("09:00", NEXT_DAY))
    assert kiosk.state("P1") == "ARRIVED"


def test_a_real_patient_whom_the_kiosk_does_not_know_yet_comes_with_the_next_page(kiosk: Kiosk):
    kiosk.journeys.check_in_unknown(PatientId("card-9"), cards(9), "scan_nfc", None)
    scan = kiosk.intent(kiosk.one("select action_id from outbox"))
    kiosk.journeys.settle([kiosk.judge(scan, replace(row(7).journey, state="ARRIVED"), patient_id="P7")])
    assert kiosk.journeys.patient_status("P7") is None
    kiosk.pull(row(7, journey=replace(row(7).journey, state="ARRIVED", journey_version=2)))
    assert kiosk.state("P7") == "ARRIVED"


def test_whom_a_restored_centre_names_instead_gets_the_action_and_the_first_is_not_forgotten(kiosk: Kiosk):
    kiosk.journeys.check_in_unknown(PatientId("card-9"), cards(9), "scan_nfc", None)
    kiosk.pull(row(7))
    scan = kiosk.intent(kiosk.one("select action_id from outbox"))
    kiosk.journeys.settle([kiosk.judge(scan, patient_id="P7")])
    assert kiosk.journeys.settle([kiosk.judge(scan, patient_id="P1", revision=1)]) == {"P7", "P1"}
    assert kiosk.one("select patient_id from outbox") == "P1"
    assert {"P1", "P7"} <= kiosk.knows()


def test_a_stranger_whom_the_centre_does_not_know_either_is_sent_to_the_desk(kiosk: Kiosk):
    kiosk.journeys.check_in_unknown(PatientId("card-9"), cards(9), "scan_nfc", None)
    scan = kiosk.intent(kiosk.one("select action_id from outbox"))
    unknown = kiosk.judge(scan, verdict=Verdict.NEEDS_STAFF, code=Code.UNKNOWN_CARD, patient_id=None)
    assert kiosk.journeys.settle([unknown]) == {"card-9"}
    assert kiosk.patient_status("card-9").needs_staff


def test_a_card_that_is_another_patients_by_now_is_no_longer_this_ones_but_their_other_card_is(kiosk: Kiosk):
    second = CardHash("k1", "second")
    bindings = (*row(1).bindings, BindingRow("b-1b", second.key_id, second.uid_hash))
    kiosk.pull(row(1, bindings=bindings))
    (scan,) = kiosk.tap(1)
    rebound = kiosk.judge(scan, verdict=Verdict.NEEDS_STAFF, code=Code.REBOUND)
    kiosk.journeys.settle([rebound])
    assert kiosk.journeys.patient_of_card(cards(1)) is None
    assert kiosk.journeys.patient_of_card([second]) == "P1"


def test_a_rebound_card_that_a_page_gave_to_its_new_holder_stays_theirs(kiosk: Kiosk):
    (scan,) = kiosk.tap(1)
    kiosk.pull(row(1, bindings=()), row(7, bindings=row(1).bindings))
    kiosk.journeys.settle([kiosk.judge(scan, verdict=Verdict.NEEDS_STAFF, code=Code.REBOUND)])
    assert kiosk.journeys.patient_of_card(cards(1)) == "P7"


def test_a_card_that_was_given_back_meanwhile_stays_when_the_old_verdict_is_told_again(kiosk: Kiosk):
    (scan,) = kiosk.tap(1)
    rebound = {"verdict": Verdict.NEEDS_STAFF, "code": Code.REBOUND, "patient_id": None}
    kiosk.journeys.settle([kiosk.judge(scan, **rebound)])
    assert kiosk.journeys.patient_of_card(cards(1)) is None
    given_back = tuple(BindingRow("b-9", each.key_id, each.uid_hash) for each in cards(1))
    kiosk.pull(row(1, bindings=given_back))
    kiosk.journeys.settle([kiosk.judge(scan, **rebound, revision=1)])
    assert kiosk.journeys.patient_of_card(cards(1)) == "P1"


def test_a_rebound_press_without_a_card_forgets_all_cards_of_the_patient(kiosk: Kiosk):
    kiosk.tap(1)
    acted = kiosk.journeys.act("P1", "register", None, {})
    kiosk.journeys.settle(
        [kiosk.judge(kiosk.intent(acted.action_ids[0]), verdict=Verdict.NEEDS_STAFF, code=Code.REBOUND)]
    )
    assert kiosk.journeys.patient_of_card(cards(1)) is None


# Pages.


def test_a_page_brings_rows_bindings_and_what_is_pending_on_top(kiosk: Kiosk):
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


def test_a_page_that_does_not_start_at_the_cursor_changes_nothing(kiosk: Kiosk):
    before = (kiosk.cursor, kiosk.knows())
    for start in (0, 2, 99):
        assert kiosk.journeys.adopt(page(row(7), from_cursor=start, cursor=100, reset=False, asked_cursor=1)) is None
    assert (kiosk.cursor, kiosk.knows()) == before


def test_a_snapshot_that_was_asked_for_from_elsewhere_changes_nothing(kiosk: Kiosk):
    kiosk.pull(row(4))
    late = page(row(7), cursor=1, reset=True, asked_cursor=0, now_ms=at("09:00", "2026-03-01"))
    assert kiosk.journeys.adopt(late) is None
    assert (kiosk.cursor, kiosk.knows()) == (2, {"P1", "P2", "P3", "P4"})
    assert kiosk.journeys.adopt(page(row(7), cursor=9, reset=True, asked_cursor=2)) is not None


def test_the_roster_of_another_life_of_the_centre_does_not_go_on_with_this_one(kiosk: Kiosk):
    """Where its numbers happen to be the same: after a restore, and the kiosk's own disk set back."""
    assert kiosk.pull(row(7), server_incarnation="two") is None
    assert kiosk.knows() == {"P1", "P2", "P3"}


def test_who_checked_in_on_a_day_that_had_not_come_stands_there_whatever_day_it_is(kiosk: Kiosk):
    """A late page may tell of yesterday, and the next one of today."""
    stranger = kiosk.journeys.check_in_unknown(PatientId("card-1"), cards(9), "scan_nfc", None).patient_id
    for day in ("2026-03-01", TODAY):
        kiosk.pull(now_ms=at("09:00", day))
        assert kiosk.state(stranger) == "ARRIVED"
        assert kiosk.patient_status(stranger).journey.site_day == day


def test_a_page_that_was_on_its_way_while_a_verdict_told_a_newer_journey_does_not_set_it_back(kiosk: Kiosk):
    (scan,) = kiosk.tap(1)
    told = journey(1, "ARRIVED", 5, visit_id=VisitId(scan.visit_id))
    kiosk.journeys.settle([kiosk.judge(scan, told)])
    kiosk.pull(row(1, masked_name="새*름", journey=journey(1, "UNREGISTERED", 4)))
    assert (kiosk.base("P1"), kiosk.patient_status("P1").patient.masked_name) == (told, "새*름")


def test_at_the_same_version_the_page_counts_since_a_booking_may_have_moved(kiosk: Kiosk):
    (scan,) = kiosk.tap(1)
    told = journey(1, "ARRIVED", 5, visit_id=VisitId(scan.visit_id))
    moved = replace(told, appointments=(booking(1, time_of_day="15:00"),))
    kiosk.pull(row(1, journey=moved))
    kiosk.journeys.settle([kiosk.judge(scan, told)])
    assert kiosk.base("P1") == moved


def test_who_has_left_the_roster_is_kept_while_something_of_theirs_is_pending(kiosk: Kiosk):
    kiosk.tap(1)
    assert kiosk.pull(gone=("P1", "nobody")) == {"P1", "nobody"}
    assert kiosk.state("P1") == "ARRIVED", "kept until what they did has its verdict"
    assert kiosk.journeys.pending() == 1
    # Back in the roster, what is pending is on top again.
    kiosk.pull(row(1))
    assert kiosk.state("P1") == "ARRIVED"


def test_new_grants_count_from_the_page_that_brings_them_for_what_is_pending_too(kiosk: Kiosk):
    kiosk.tap(1, "scan_nfc", "register")
    kiosk.pull(row(1), actions=("scan_nfc",))
    assert kiosk.state("P1") == "ARRIVED"
    kiosk.pull(row(1), actions=GRANTS)
    assert kiosk.state("P1") == "REGISTERED"


def new_rules(**register: Any) -> dict[str, Any]:
    return with_changed({**shipped().document, "version": 2}, "register", **register)


def test_new_rules_count_from_the_page_that_brings_them_for_everybody_with_something_pending(kiosk: Kiosk):
    kiosk.tap(1, "scan_nfc", "register")
    kiosk.tap(2)
    assert kiosk.pull(definitions=new_rules(never_in=["ARRIVED"])) == {"P1", "P2"}
    assert kiosk.journeys.definitions.version == 2
    assert kiosk.state("P1") == "ARRIVED"
    (scan,) = kiosk.tap(3)
    assert scan.definitions_version == 2
    assert Journeys(kiosk.store, kiosk.clock).definitions.version == 2


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
def test_a_page_that_cannot_be_used_changes_nothing_and_the_kiosk_goes_on(kiosk: Kiosk, changes: dict[str, Any]):
    values = {"cursor": 2, **changes}
    with pytest.raises((DefinitionsError, KeyError, ValueError, OverflowError)):
        kiosk.journeys.adopt(page(row(7), from_cursor=1, **values))
    assert (kiosk.cursor, kiosk.journeys.definitions.version) == (1, 1)
    assert kiosk.journeys.patient_of_card(cards(7)) is None
    kiosk.tap(1)
    assert kiosk.state("P1") == "ARRIVED"


# Resets, restores.


def test_a_centre_that_has_less_than_it_answered_for_is_told_everything_again(kiosk: Kiosk):
    (scan,) = kiosk.tap(1)
    kiosk.journeys.settle([kiosk.judge(scan, journey(1, "ARRIVED", 1))], epoch=1)
    asked = {"epoch": 1, "answered_seq": kiosk.journeys.answered_seq()}
    assert asked["answered_seq"] == 1
    told = kiosk.journeys.adopt(page(from_cursor=1, cursor=2, last_seq=0, epoch=1), **asked)
    assert (told, kiosk.journeys.pending(), kiosk.cursor) == ({"P1"}, 1, 0)
    assert kiosk.state("P1") == "ARRIVED"
    assert kiosk.journeys.answered_seq() == 0, "nothing is said of it twice"


def test_a_verdict_that_comes_with_a_page_says_nothing_of_how_far_the_chain_has_come(kiosk: Kiosk):
    (scan,) = kiosk.tap(1)
    kiosk.pull(verdicts=(kiosk.judge(scan, revision=1),), last_seq=0, epoch=1)
    assert kiosk.journeys.answered_seq() == 0
    page_after = page(from_cursor=2, cursor=3, last_seq=0, epoch=1)
    kiosk.journeys.adopt(page_after, epoch=1, answered_seq=kiosk.journeys.answered_seq())
    assert (kiosk.journeys.pending(), kiosk.cursor) == (0, 3)


def test_a_reset_forgets_everybody_but_those_with_something_pending(kiosk: Kiosk):
    kiosk.tap(1)
    touched = kiosk.journeys.adopt(page(row(7), cursor=50, reset=True, asked_cursor=1))
    assert touched == {"P1", "P2", "P3", "P7"}
    assert kiosk.knows() == {"P1", "P7"}
    assert kiosk.cursor == 50
    assert kiosk.state("P1") == "ARRIVED"


def test_a_snapshot_that_is_interrupted_leaves_everybody_known(kiosk: Kiosk):
    kiosk.journeys.adopt(page(row(7), cursor=50, reset=True, more=True, asked_cursor=1))
    assert kiosk.knows() == {"P1", "P2", "P3", "P7"}
    again = Journeys(kiosk.store, kiosk.clock)  # the process ended over it
    assert again.tap(cards(2), ("scan_nfc",)) is not None
    again.adopt(page(row(3), from_cursor=50, cursor=51))
    assert kiosk.knows() == {"P2", "P3", "P7"}, "P2 has something pending"
    assert kiosk.state("P2") == "ARRIVED"


def test_after_a_restore_a_lower_version_counts_on_any_page_of_the_snapshot(kiosk: Kiosk):
    kiosk.pull(row(1, journey=journey(1, "UNREGISTERED", 30)))
    kiosk.tap(1)
    kiosk.journeys.adopt(page(row(7), cursor=5, reset=True, more=True, server_incarnation="two", asked_cursor=2))
    kiosk.journeys.adopt(
        page(row(1, journey=journey(1, "UNREGISTERED", 12)), from_cursor=5, cursor=6, server_incarnation="two")
    )
    assert kiosk.base("P1").journey_version == 12
    (register,) = kiosk.tap(1, "register")
    assert register.base_version == 12


def test_after_a_restore_everything_waits_for_its_verdict_again(kiosk: Kiosk):
    first, second = kiosk.tap(1)[0], kiosk.tap(2)[0]
    kiosk.journeys.settle(
        [
            kiosk.judge(first, journey(1, "ARRIVED", 1, visit_id=VisitId(first.visit_id))),
            kiosk.judge(second, journey(2, "ARRIVED", 1, visit_id=VisitId(second.visit_id))),
        ],
        backed_up_seq=1,
    )
    assert kiosk.journeys.pending() == 0
    kiosk.journeys.adopt(page(row(1), row(2), cursor=3, reset=True, server_incarnation="two", asked_cursor=1))
    assert kiosk.journeys.pending() == 2
    # The centre has lost both visits; they are shown all the same, since their actions wait again.
    assert (kiosk.state("P1"), kiosk.state("P2")) == ("ARRIVED", "ARRIVED")
    again = [msgspec.json.decode(p.body, type=Intent).action_id for p in kiosk.journeys.batch(9, None)]
    assert again == [first.action_id, second.action_id]
    assert kiosk.journeys.settle([kiosk.judge(second, journey(2, "ARRIVED", 1))]) == {"P2"}


# Day by day.


def test_who_has_nothing_here_any_more_is_forgotten_with_the_first_page_of_a_day(kiosk: Kiosk):
    tomorrow = replace(booking(2), scheduled_ms=at("10:00", NEXT_DAY))
    later = replace(booking(3), scheduled_ms=at("10:00", "2026-03-04"))
    kiosk.pull(row(2, tomorrow=(tomorrow,)), row(3, tomorrow=(later,)))
    kiosk.pull(
        row(4),
        row(
            5, journey=journey(5, "IN_PROGRESS", 3, current_queue_id="q-A", entries=(entry("A", state="in_progress"),))
        ),
    )
    kiosk.tap(1)
    kiosk.clock.forward(24 * HOUR)
    kiosk.pull(more=True, now_ms=at("09:00", NEXT_DAY))
    assert "P4" in kiosk.knows()
    kiosk.pull(now_ms=at("09:00", NEXT_DAY))
    assert kiosk.knows() == {"P1", "P2", "P3", "P5"}
    assert kiosk.one("select count(*) from bindings where patient_id = 'P4'") == 0


def test_it_is_the_centres_clock_that_people_are_forgotten_by(kiosk: Kiosk):
    kiosk.clock.reading = ClockReading(at("09:00", "2099-01-01"), 5, "boot-2", synchronised=False)
    kiosk.pull(now_ms=at("10:00"))
    assert kiosk.knows() == {"P1", "P2", "P3"}


def test_old_audit_rows_go_in_the_end_and_no_action_that_a_backup_may_miss(kiosk: Kiosk):
    (scan,) = kiosk.tap(1)
    kiosk.journeys.settle([kiosk.judge(scan, journey(1, "ARRIVED", 2))])
    long_after = at("09:00") + KEPT_MS + 25 * HOUR
    kiosk.clock.forward(KEPT_MS + 25 * HOUR)
    kiosk.tap(2)
    kiosk.pull(now_ms=long_after)
    assert kiosk.one("select count(*) from outbox") == 2
    assert kiosk.one("select count(*) from audit where kind = 'verdict'") == 0
    assert kiosk.one("select count(*) from audit where kind = 'applied'") == 1


def test_a_pull_of_the_same_day_looks_at_nobody_again(kiosk: Kiosk):
    kiosk.clock.forward(24 * HOUR)
    kiosk.pull(now_ms=at("09:00", NEXT_DAY))
    kiosk.pull(row(8, journey=replace(row(8).journey, appointments=())), now_ms=at("09:01", NEXT_DAY))
    asked: list[str] = []
    with kiosk.store.read() as db:
        db.set_trace_callback(asked.append)
        kiosk.pull(now_ms=at("09:02", NEXT_DAY))
        db.set_trace_callback(None)
    assert not [sql for sql in asked if "delete from audit" in sql]


# Enrolment and epochs.


def test_a_box_becomes_a_kiosk(tmp_path: Path):
    store = Store(tmp_path / "kiosk.db")
    journeys = Journeys(store, Clock())
    journeys.enrol(enrolment())
    assert journeys.identity is not None
    assert (journeys.identity.kiosk_id, journeys.identity.epoch, journeys.identity.cursor) == ("kiosk-1", 1, 0)
    assert journeys.today() == TODAY
    assert journeys.batch(10, None) == []
    store.close()


def test_a_page_before_the_enrolment_is_refused(tmp_path: Path):
    store = Store(tmp_path / "kiosk.db")
    with pytest.raises(NotEnrolled):
        Journeys(store, Clock()).adopt(page(row(1)))
    store.close()


def test_enrolled_anew_what_is_pending_goes_on_under_the_new_name_and_the_roster_starts_afresh(kiosk: Kiosk):
    done, pending = kiosk.tap(1)[0], kiosk.tap(2)[0]
    kiosk.journeys.settle([kiosk.judge(done)])
    kiosk.journeys.check_in_unknown(PatientId("card-9"), cards(9), "scan_nfc", None)
    kiosk.journeys.enrol(enrolment(kiosk_id="kiosk-2", epoch=4, ticket_prefix="C"))
    assert kiosk.knows() == {"card-9"}
    batch = kiosk.journeys.batch(10, None)
    bodies = [msgspec.json.decode(p.body, type=Intent) for p in batch]
    assert [(b.kiosk_id, b.epoch, b.seq) for b in bodies] == [("kiosk-2", 4, 1), ("kiosk-2", 4, 2)]
    assert bodies[0].action_id == pending.action_id
    assert batch[0].hash == chain_hash("", bytes(batch[0].body))
    assert kiosk.one("select count(*) from outbox where status = 'pending'") == 2
    assert kiosk.one("select epoch from outbox where status <> 'pending'") == 0, "in front of the new epochs"
    kiosk.journeys.adopt(page(row(2), row(3)))
    assert kiosk.state("P2") == "ARRIVED"
    assert kiosk.tap(3, *GRANTS)[-1].queue_number == "C-001"


@pytest.mark.parametrize(
    "changes",
    [
        {"definitions": {"version": 1}},
        {"definitions": {}},
        {"site": msgspec.structs.replace(SITE, timezone="nowhere")},
        {"site": msgspec.structs.replace(SITE, day_starts_at="4")},
    ],
)
def test_an_enrolment_that_cannot_be_used_changes_nothing(kiosk: Kiosk, changes: dict[str, Any]):
    kiosk.tap(1)
    with pytest.raises((ValueError, KeyError)):
        kiosk.journeys.enrol(enrolment(kiosk_id="kiosk-2", **changes))
    assert kiosk.journeys.identity is not None
    assert kiosk.journeys.identity.kiosk_id == "kiosk-1"
    assert kiosk.one("select kiosk_id from identity") == "kiosk-1"
    assert kiosk.state("P1") == "ARRIVED"


def test_under_a_new_epoch_taps_go_on_where_the_renumbered_ones_end(kiosk: Kiosk):
    kiosk.tap(1, "scan_nfc", "register")
    kiosk.journeys.start_epoch(7)
    assert kiosk.journeys.identity is not None
    assert kiosk.journeys.identity.epoch == 7
    (scan,) = kiosk.tap(2)
    assert (scan.epoch, scan.seq) == (7, 3)
    previous = ""
    for pushed in kiosk.journeys.batch(10, None):
        previous = chain_hash(previous, bytes(pushed.body))
        assert pushed.hash == previous
    assert kiosk.one("select detail from audit where kind = 'epoch'") == "epoch 7, 2 pending"


def test_what_the_kiosk_remembers_of_itself_is_what_was_committed(kiosk: Kiosk):
    """A commit that fails must not leave new grants or rules in memory."""
    with kiosk.store.read() as db:
        db.execute("create temp trigger refuse before update on identity begin select raise(abort, 'no'); end")
    before = kiosk.journeys.identity
    with pytest.raises(sqlite3.IntegrityError):
        kiosk.pull(actions=(), definitions=new_rules())
    assert (kiosk.journeys.identity, kiosk.journeys.definitions.version) == (before, 1)
