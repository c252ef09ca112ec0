"""The faults that the simulation found, each as its shortest schedule, with the seed that found it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.agent.client import Accepted, NoAnswer
from sync.agent.steps import Pusher
from sync.central.imports.whole import read_hospital, take_hospital
from sync.central.maintenance.incarnation import open_incarnation, update_marker
from sync.central.records.bindings import bind
from sync.central.records.journeys import mark_changed
from sync.ids import new_id
from sync.protocol import CallRefused, Code, PushAnswer, PushRequest, Verdict
from tests.sync.central.two_stores.acts import finish
from tests.sync.central.wire import BY_STAFF, EVERYTHING, MINUTE, PATIENTS, Centre, Kiosk, Time, Wire, cards_of

YEARS_MS = 5 * 365 * 24 * 60 * MINUTE


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    made = Centre(tmp_path / "centre.db", Time())
    yield made
    made.store.close()


@pytest.fixture
def kiosk(tmp_path: Path, centre: Centre) -> Iterator[Kiosk]:
    made = Kiosk(tmp_path / "kiosk.db", centre, "A", EVERYTHING)
    made.sync()
    yield made
    made.store.close()


def book_for_tomorrow(centre: Centre) -> None:
    bookings = [
        {"appointment_id": f"T{each}", "patient_id": each, "exam_id": "X", "scheduled_at": "2026-03-03T10:00"}
        for each in ("P2", "P3")
    ]
    with centre.store.write() as db:
        take_hospital(
            db, centre.definitions, centre.parts.keys, read_hospital({"appointments": bookings}), centre.time()
        )


def give(centre: Centre, card: str, patient_id: str) -> None:
    """Staff bind a card to a patient."""
    with centre.store.write() as db:
        bind(db, patient_id, cards_of(card), new_id(), centre.time(), BY_STAFF)
        for each in PATIENTS:
            mark_changed(db, each)


def set_back(centre: Centre, backup: Path) -> None:
    """Restores the centre from a backup, and starts it."""
    centre.store.close()
    centre.path.with_name("centre.db-wal").unlink(missing_ok=True)
    shutil.copyfile(backup, centre.path)
    centre.open()
    open_incarnation(centre.store)


def incarnation_of(centre: Centre) -> object:
    return centre.rows("select server_incarnation from incarnation")[0]["server_incarnation"]


def back_up(centre: Centre) -> Path:
    centre.store.close()
    backup = centre.path.with_name("backup.db")
    shutil.copyfile(centre.path, backup)
    centre.open()
    return backup


def test_a_kiosk_whose_clock_was_ahead_shows_the_visit_again_once_it_is_right(kiosk: Kiosk):
    kiosk.wall_offset_ms, kiosk.synchronised = YEARS_MS, False
    kiosk.tap("P1")
    kiosk.sync()
    kiosk.wall_offset_ms = 0
    assert kiosk.view("P1").state == "ARRIVED", "before an answer of the centre"  # seed 1
    kiosk.sync()
    assert kiosk.view("P1") == kiosk.centre.journey("P1")


def test_a_press_after_the_clock_was_set_right_goes_on_with_the_visit(kiosk: Kiosk):
    kiosk.wall_offset_ms, kiosk.synchronised = YEARS_MS, False
    kiosk.tap("P1")
    kiosk.sync()
    kiosk.wall_offset_ms = 0
    assert kiosk.act("P1", "register").refusal is None
    kiosk.sync()
    assert kiosk.centre.journey("P1").state == "REGISTERED"


def test_what_was_judged_in_an_earlier_epoch_is_sent_again_after_a_restore(centre: Centre, kiosk: Kiosk):
    backup = back_up(centre)
    kiosk.tap("P1")
    kiosk.push()
    with kiosk.store.write() as db:  # as if the disk was set back: the chain does not fit and gets a new epoch
        db.execute("update identity set last_hash = 'lost'")
    kiosk.act("P1", "register")
    kiosk.sync()
    assert kiosk.journeys.identity is not None
    assert kiosk.journeys.identity.epoch == 2
    set_back(centre, backup)
    for _ in range(3):  # seed 58
        kiosk.pull()
        kiosk.push()
    assert centre.journey("P1").state == "REGISTERED"
    assert [status for _, status, _ in kiosk.statuses()] == ["applied", "applied"]


def test_a_patient_who_is_missing_in_a_snapshot_has_no_visit(centre: Centre, kiosk: Kiosk):
    backup = back_up(centre)
    give(centre, "N", "P3")
    centre.staff("scan_nfc", "P3")  # a patient without a booking
    kiosk.sync()
    kiosk.journeys.act("P3", "register", None, {}, cards_of("N"))
    kiosk.sync()
    assert kiosk.base("P3").state == "REGISTERED"
    set_back(centre, backup)
    give(centre, "N", "P1")
    for _ in range(3):  # seed 120
        kiosk.pull()
        kiosk.push()
    assert kiosk.last() == ("needs_staff", "rebound")
    assert kiosk.base("P3") is None or kiosk.base("P3").state == "UNREGISTERED"


@pytest.mark.parametrize("offset_ms", [YEARS_MS, -YEARS_MS])
def test_a_clock_that_jumps_gives_no_number_twice(kiosk: Kiosk, offset_ms: int):
    book_for_tomorrow(kiosk.centre)
    kiosk.sync()
    kiosk.check_in("P1")
    kiosk.wall_offset_ms, kiosk.synchronised = offset_ms, False
    kiosk.check_in("P2")
    kiosk.wall_offset_ms, kiosk.synchronised = 0, True
    kiosk.check_in("P3")
    kiosk.sync()
    numbers = [entry.queue_number for each in PATIENTS for entry in kiosk.centre.journey(each).entries]
    assert numbers == ["A-001", "A-002", "A-003"]  # seed 272


def test_numbers_of_an_unknown_day_count_for_the_day_that_it_was(kiosk: Kiosk):
    book_for_tomorrow(kiosk.centre)
    kiosk.sync()
    kiosk.check_in("P1")
    kiosk.centre.time.pass_minutes(24 * 60)
    # The clock is wrong after the night: the kiosk still has yesterday as its day.
    kiosk.wall_offset_ms, kiosk.synchronised = -YEARS_MS, False
    kiosk.check_in("P2")
    kiosk.wall_offset_ms, kiosk.synchronised = 0, True
    kiosk.sync()
    kiosk.check_in("P3")
    assert kiosk.view("P3").entries[0].queue_number == "A-003"


def test_a_new_day_counts_its_numbers_from_one(kiosk: Kiosk):
    book_for_tomorrow(kiosk.centre)
    kiosk.sync()
    kiosk.check_in("P1")
    kiosk.centre.time.pass_minutes(24 * 60)
    kiosk.sync()
    kiosk.check_in("P3")
    assert kiosk.view("P3").entries[0].queue_number == "A-001"


def test_a_verdict_from_before_a_restore_does_not_retire_what_the_restored_centre_has_to_judge(
    centre: Centre, kiosk: Kiosk
):
    backup = back_up(centre)
    kiosk.tap("P1")
    identity = kiosk.journeys.identity
    answers: list[PushAnswer] = []

    class Slow(Wire):
        """The answer is still under way after the centre was restored and a page has shown the restore."""

        def push(self, request: PushRequest, _: object = None) -> Accepted[PushAnswer] | CallRefused | NoAnswer:
            outcome = super().push(request)
            assert isinstance(outcome, Accepted)
            answers.append(outcome.answer)
            set_back(centre, backup)
            kiosk.pull()
            return outcome

    assert identity is not None
    Pusher(kiosk.ledger, Slow(centre, identity.kiosk_id)).run_once()  # type: ignore[arg-type]
    assert [row.verdict for row in answers[0].verdicts] == ["applied"]
    assert kiosk.parts.pending() == 1  # seed 1104
    kiosk.sync()
    assert kiosk.view("P1") == centre.journey("P1")


def test_a_card_that_a_restored_centre_binds_to_another_patient_leaves_the_first_one(centre: Centre, kiosk: Kiosk):
    backup = back_up(centre)
    give(centre, "N", "P2")
    kiosk.check_in_unknown("N")
    kiosk.sync()
    set_back(centre, backup)
    give(centre, "N", "P1")
    for _ in range(3):  # seed 1029
        kiosk.pull()
        kiosk.push()
    assert kiosk.view("P1") == centre.journey("P1")
    assert kiosk.view("P2") == centre.journey("P2")


def test_a_restore_that_loses_verdicts_alone_is_noticed(centre: Centre, kiosk: Kiosk):
    open_incarnation(centre.store)
    kiosk.check_in_unknown("N")  # the centre does not know the card either: no journey moves
    kiosk.pull()
    update_marker(centre.store)
    backup = back_up(centre)
    before = incarnation_of(centre)
    kiosk.push()
    update_marker(centre.store)
    set_back(centre, backup)
    assert incarnation_of(centre) != before  # seed 2675
    kiosk.sync()
    kiosk.push()
    assert centre.open_cases() == ["unknown_card"]


def test_an_epoch_that_is_no_news_changes_nothing(kiosk: Kiosk):
    kiosk.tap("P1")
    kiosk.ledger.start_epoch(3)
    kiosk.sync()
    kiosk.act("P1", "register")
    kiosk.ledger.start_epoch(3)  # an answer that was under way while a pull showed the restored centre
    kiosk.ledger.start_epoch(2)
    kiosk.act("P1", "confirm_arrival")  # seed 258
    kiosk.sync()
    assert kiosk.journeys.identity is not None
    assert kiosk.centre.journey("P1").state == "WAITING"


def test_an_action_that_staff_reassign_leaves_the_patient_that_it_named(centre: Centre, kiosk: Kiosk):
    kiosk.tap("P1")
    give(centre, "P1", "P3")  # the tap waits for staff because of this
    kiosk.push()
    assert kiosk.last() == ("needs_staff", "rebound")
    kiosk.pull()
    assert centre.settle("reassign", patient_id="P2").done
    kiosk.pull()
    assert kiosk.view("P2").state == "ARRIVED"
    assert kiosk.view("P1") == centre.journey("P1")  # seed 10


def test_a_patient_of_two_merged_records_with_visits_of_one_day_may_come_again(centre: Centre, kiosk: Kiosk):
    """Seed 6130: the visits of the merged record left a gap in the numbers of the day's visits, and the next visit got
    a number that was taken."""
    for _ in range(2):
        kiosk.check_in("P2")
        kiosk.sync()
        finish(centre, kiosk, "P2")
    assert centre.merge("P1", "P2").done
    kiosk.sync()
    kiosk.check_in("P1")
    kiosk.sync()
    assert kiosk.last() == (Verdict.APPLIED, Code.OK)
    assert centre.rows("select count(*) as visits from visits where patient_id = 'P1'") == [{"visits": 3}]
