"""The outcomes of a patient's actions (pending, waiting for staff, reversed), and the days that count."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from kiosk.journey.patient_status import PatientStatus
from sync.clock import ClockReading
from sync.journey.model import Journey, PatientId, VisitId
from sync.protocol import Code, Verdict, VerdictRow
from tests.kiosk import samples
from tests.kiosk.samples import TODAY, Clock, at, booking, cards, page, row

EVENING = at("20:00")
TOMORROW = "2026-03-03"


class Kiosk:
    """A kiosk in the evening, and the centre's verdicts and pages."""

    def __init__(self, directory: Path) -> None:
        self.clock = Clock()
        self.parts = samples.enrolled(directory, self.clock)
        self.store, self.journeys, self.ledger = self.parts.store, self.parts.journeys, self.parts.ledger
        self.clock.forward(EVENING - self.clock.reading.wall_ms)

    def scan(self) -> str:
        """Taps the first patient's card. Returns the id of the action."""
        tapped = self.journeys.tap(cards(1), ("scan_nfc",))
        assert tapped is not None
        (action_id,) = tapped.action_ids
        return action_id

    def judge(self, action_id: str, verdict: Verdict, code: Code, revision: int = 0, **changes: Any) -> None:
        self.ledger.retire(
            [VerdictRow(action_id=action_id, seq=1, verdict=verdict, code=code, revision=revision, **changes)]
        )

    def pull(self, *rows: Any, **changes: Any) -> None:
        identity = self.journeys.identity
        assert identity is not None
        adopted = self.ledger.adopt(page(*rows, from_cursor=identity.cursor, cursor=identity.cursor + 1, **changes))
        assert adopted is not None

    def become_tomorrow(self) -> None:
        self.clock.forward(at("09:00", TOMORROW) - self.clock.reading.wall_ms)

    @property
    def patient_status(self) -> PatientStatus:
        found = self.journeys.patient_status("P1")
        assert found is not None
        return found


@pytest.fixture
def kiosk(tmp_path: Path) -> Iterator[Kiosk]:
    made = Kiosk(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def ahead(tmp_path: Path) -> Iterator[Kiosk]:
    """A kiosk whose clock is five years ahead after a reboot. The first patient taps, then a page brings the time."""
    made = Kiosk(tmp_path)
    made.clock.reading = ClockReading(at("09:00", "2031-05-05"), 1000, "boot-2", synchronised=False)
    assert made.scan()
    assert made.parts.today == "2031-05-05"
    made.pull(row(1), now_ms=EVENING)
    assert made.parts.today == TODAY
    yield made
    made.store.close()


def test_what_is_pending_counts_in_the_morning_after_too(kiosk: Kiosk):
    kiosk.scan()
    assert kiosk.patient_status.pending == 1
    kiosk.become_tomorrow()
    assert kiosk.patient_status.pending == 1


def test_what_is_pending_from_a_clock_that_was_ahead_counts(ahead: Kiosk):
    assert (ahead.patient_status.pending, ahead.parts.pending()) == (1, 1)


def test_what_waits_for_staff_from_a_clock_that_was_ahead_counts_that_day_and_not_for_years(ahead: Kiosk):
    with ahead.store.read() as db:
        action_id = db.execute("select action_id from outbox").fetchone()[0]
    ahead.judge(action_id, Verdict.NEEDS_STAFF, Code.CANCELLED)
    assert (ahead.patient_status.pending, ahead.patient_status.needs_staff) == (0, True)
    ahead.clock.forward(24 * 3_600_000)
    assert not ahead.patient_status.needs_staff


def test_what_waits_for_staff_of_a_visit_that_is_over_does_not_send_the_next_one_to_the_desk(kiosk: Kiosk):
    kiosk.judge(kiosk.scan(), Verdict.NEEDS_STAFF, Code.CANCELLED)
    assert kiosk.patient_status.needs_staff
    kiosk.become_tomorrow()
    assert not kiosk.patient_status.needs_staff


def test_what_waits_for_staff_of_a_visit_that_goes_on_overnight_still_does(kiosk: Kiosk):
    action_id = kiosk.scan()
    with kiosk.store.read() as db:
        visit_id = db.execute("select visit_id from outbox").fetchone()[0]
    kiosk.judge(action_id, Verdict.NEEDS_STAFF, Code.CANCELLED)
    kiosk.become_tomorrow()
    stays = Journey(
        PatientId("P1"),
        "IN_PROGRESS",
        TOMORROW,
        VisitId(visit_id),
        leg=1,
        journey_version=5,
        appointments=(booking(1),),
    )
    kiosk.pull(row(1, change=2, journey=stays), now_ms=at("09:00", TOMORROW))
    assert kiosk.patient_status.needs_staff
    other = replace(stays, visit_id=VisitId("v-2"), journey_version=6)
    kiosk.pull(row(1, change=3, journey=other), now_ms=at("09:01", TOMORROW))
    assert not kiosk.patient_status.needs_staff


def test_the_outcomes_of_one_patient_are_nobody_elses(kiosk: Kiosk):
    kiosk.judge(kiosk.scan(), Verdict.NEEDS_STAFF, Code.CANCELLED)
    other = kiosk.journeys.patient_status("P2")
    assert other is not None
    assert (other.pending, other.needs_staff) == (0, False)


def test_an_unseen_reversal_is_shown_the_day_after_even_when_backups_hold_it(kiosk: Kiosk):
    kiosk.judge(kiosk.scan(), Verdict.SUPERSEDED, Code.DISCARDED)
    kiosk.become_tomorrow()
    kiosk.pull(row(1, change=2), now_ms=at("09:00", TOMORROW), backed_up_seq=1)
    (reversal,) = kiosk.patient_status.reversals
    kiosk.journeys.mark_reversals_seen([reversal])
    assert kiosk.patient_status.reversals == ()


def test_what_was_reversed_goes_once_it_was_told_or_its_person_has_nothing_here_any_more(tmp_path: Path):
    for is_seen in (True, False):
        kiosk = Kiosk(tmp_path / str(is_seen))
        kiosk.judge(kiosk.scan(), Verdict.SUPERSEDED, Code.DISCARDED)
        if is_seen:
            kiosk.journeys.mark_reversals_seen(kiosk.patient_status.reversals)
            stays = Journey(PatientId("P1"), "UNREGISTERED", TOMORROW, appointments=(booking(1),))
            kiosk.pull(row(1, change=2, journey=stays))
        kiosk.become_tomorrow()
        kiosk.pull(now_ms=at("09:00", TOMORROW), backed_up_seq=1)
        with kiosk.store.read() as db:
            assert db.execute("select count(*) from outbox").fetchone()[0] == 0
        assert (kiosk.journeys.patient_status("P1") is not None) is is_seen
        kiosk.store.close()
