"""Kiosks that wait: one place for each, answers as sets, and pages that are read once for all."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.central.imports.whole import read_hospital, take_hospital
from sync.central.kiosks.answering import Answered, Asked, Present, Pulled, answer_pulls
from sync.central.kiosks.page import KEPT_MS, Pages
from sync.central.kiosks.pull import LONGEST_WAIT_S, MOST_WAITING, PullService
from sync.central.kiosks.reception import Reception
from sync.central.kiosks.waiting_room import LastSet, interval_s
from sync.central.maintenance.restore_gap import note_restore
from sync.central.records.journeys import read_journey
from sync.central.records.kiosks import revoke_kiosk
from sync.central.records.roster_rows import roster_rows
from sync.ids import new_id
from sync.protocol import CallRefused, EndCode, PullAnswer, PullRequest
from tests.sync.central.statements import counting
from tests.sync.central.wire import DAY, Centre, Time, as_read, read_page

PATIENCE_S = 30
LONG_WAIT_S = 30.0
MANY = 12


class Waiting:
    """A kiosk whose pull is under way."""

    def __init__(self, centre: Centre, kiosk_id: str, cursor: int, wait_s: float = LONG_WAIT_S) -> None:
        self._answers: queue.SimpleQueue[Answered | Exception] = queue.SimpleQueue()
        request = asking(centre, kiosk_id, cursor, wait_s=wait_s)
        self.leave = centre.pulls.wait(kiosk_id, request, self._answers.put)

    def answer(self) -> PullAnswer:
        found = self.said()
        assert isinstance(found, PullAnswer)
        return found

    def said(self) -> PullAnswer | CallRefused:
        return as_read(self._answers.get(timeout=PATIENCE_S))


def asking(centre: Centre, kiosk_id: str, cursor: int, **changes: Any) -> PullRequest:
    fields: dict[str, Any] = {"protocol_version": 2, "kiosk_id": kiosk_id, "epoch": 1, "cursor": cursor}
    fields |= {"site_id": centre.site_id, "server_incarnation": "first", "definitions_version": 1}
    return PullRequest(**(fields | changes))


def latest(centre: Centre) -> int:
    with centre.store.read() as db:
        return db.latest_change()


@pytest.fixture
def kiosks(centre: Centre) -> list[str]:
    """Kiosks that have the whole roster, and have told what a pull tells."""
    made = [str(centre.enrol().kiosk_id) for _ in range(MANY)]
    for each in made:
        Waiting(centre, each, 0, 0.0).answer()
        Waiting(centre, each, latest(centre), 0.0).answer()
    return made


def ids(answer: PullAnswer) -> list[str]:
    return [row.patient_id for row in answer.patients]


# The waiting room.


def test_all_who_wait_hear_of_one_change(centre: Centre, kiosks: list[str]):
    waiting = [Waiting(centre, each, latest(centre)) for each in kiosks]
    centre.staff("scan_nfc", "P3")
    answers = [each.answer() for each in waiting]
    assert {tuple(ids(each)) for each in answers} == {("P3",)}
    assert len({each.cursor_mac for each in answers}) == MANY, "a cursor is one kiosk's own"


def test_a_later_pull_of_a_kiosk_ends_its_earlier_one(centre: Centre, kiosks: list[str]):
    before = latest(centre)
    first = Waiting(centre, kiosks[0], before)
    second = Waiting(centre, kiosks[0], before)
    ended = first.answer()
    assert (ended.cursor, ended.patients, ended.retry_after_s) == (before, (), None)
    centre.staff("scan_nfc", "P3")
    assert ids(second.answer()) == ["P3"]


def test_a_full_room_says_when_to_call_again_and_has_room_where_a_client_has_left(centre: Centre, kiosks: list[str]):
    centre.pulls = PullService(centre.parts, most_waiting=1)
    held = Waiting(centre, kiosks[0], latest(centre))
    assert Waiting(centre, kiosks[1], latest(centre)).answer().retry_after_s is not None
    held.leave()
    assert Waiting(centre, kiosks[1], latest(centre), 0.01).answer().retry_after_s is None


def test_a_kiosk_that_is_revoked_while_it_waits_has_ended_and_the_others_get_their_page(
    centre: Centre, kiosks: list[str]
):
    waiting = [Waiting(centre, each, latest(centre)) for each in kiosks[:3]]
    with centre.store.write() as db:
        revoke_kiosk(db, kiosks[1], centre.time())
    centre.staff("scan_nfc", "P3")
    said = [each.said() for each in waiting]
    assert [isinstance(each, PullAnswer) for each in said] == [True, False, True]
    assert isinstance(said[1], CallRefused)
    assert said[1].code is EndCode.ENDED


def test_a_stop_answers_all_who_wait(centre: Centre, kiosks: list[str]):
    waiting = [Waiting(centre, each, latest(centre)) for each in kiosks]
    centre.store.news.close()
    assert {each.answer().cursor for each in waiting} == {latest(centre)}


def test_an_error_of_the_database_is_told_to_each_call_and_the_next_ones_are_answered(
    centre: Centre, kiosks: list[str]
):
    before = latest(centre)
    with centre.store.write() as db:
        db.execute("alter table backlogs rename to hidden")
    failed: queue.SimpleQueue[Answered | Exception] = queue.SimpleQueue()
    for each in kiosks[:2]:
        centre.pulls.wait(each, asking(centre, each, before), failed.put)
    assert all(isinstance(failed.get(timeout=PATIENCE_S), Exception) for _ in range(2))
    with centre.store.write() as db:
        db.execute("alter table hidden rename to backlogs")
    assert Waiting(centre, kiosks[0], before, 0.0).answer().cursor == before


# The pace of the sets.


def test_a_thousand_kiosks_are_told_every_two_seconds():
    assert LastSet(1000, began_s=10.0, ended_s=10.4).next_s(waiting=1000) == 12.0


def test_kiosks_that_were_told_count_until_they_are_back():
    last = LastSet(1000, began_s=10.0, ended_s=10.4)
    assert last.next_s(waiting=3) == last.next_s(waiting=1000)
    assert LastSet(3, began_s=10.0, ended_s=10.1).next_s(waiting=1000) == 12.0


def test_the_kiosks_of_a_hospital_are_told_within_half_a_second():
    assert LastSet(50, began_s=10.0, ended_s=10.1).next_s(waiting=50) < 10.5


def test_a_set_that_took_long_is_followed_by_a_pause():
    assert LastSet(1000, began_s=10.0, ended_s=20.0).next_s(waiting=1000) > 20.5


def test_more_kiosks_wait_longer_between_two_sets_but_no_longer_than_a_call_waits():
    intervals = [interval_s(kiosks) for kiosks in (0, 50, 200, 1000, 5000, MOST_WAITING)]
    assert intervals == sorted(intervals)
    assert intervals[-1] < LONGEST_WAIT_S


# Answers as sets.


@pytest.mark.one_database
def test_a_set_of_answers_takes_the_same_statements_for_any_number_of_kiosks(centre: Centre, kiosks: list[str]):
    before = latest(centre)
    centre.staff("scan_nfc", "P3")

    def statements(names: list[str]) -> int:
        asked = [Asked(each, asking(centre, each, before), 25) for each in names]
        with counting(centre.store) as counted:
            answers = answer(centre, asked)
        assert all(isinstance(each, Pulled) for each in answers)
        return len(counted)

    assert statements(kiosks[:2]) == statements(kiosks)


@pytest.mark.one_database
def test_a_pull_that_only_repeats_takes_few_statements_as_it_comes(centre: Centre, kiosks: list[str]):
    asked = Asked(kiosks[0], asking(centre, kiosks[0], latest(centre)), 25)
    with counting(centre.store) as counted:
        (received,) = Reception(centre.parts, (2,)).receive([asked])
    assert isinstance(received, Present)
    assert len(counted) <= 5, counted  # and one for its token


def answer(centre: Centre, asked: list[Asked]) -> list[Answered]:
    with centre.store.read() as db:
        return list(answer_pulls(db, centre.parts, Pages(centre.definitions), asked, (2,)))


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    """A centre with verdicts, merges, blocks and changes of several patients, and three kiosks."""
    made = Centre(tmp_path_factory.mktemp("busy") / "centre.db", Time())
    for _ in range(3):
        made.enrol()
    Waiting(made, "kiosk-1", 0, 0.0).answer()
    for number in range(6):
        made.staff("scan_nfc", ("P1", "P2", "P3")[number % 3])
        with made.store.write() as db:
            db.execute(
                "insert into verdicts values (:id, 1, :kiosk, 4, 'P1', null, 'applied', 'ok', 0, null, null, null,"
                " 1, null, :change, 0)",
                {"id": new_id(), "kiosk": f"kiosk-{number % 2 + 1}", "change": db.next_change()},
            )
    made.block_card("lost")
    assert made.merge("P1", "P3").done
    yield made
    made.store.close()


@settings(max_examples=60)
@given(
    asked=st.lists(
        st.tuples(
            st.sampled_from(["kiosk-1", "kiosk-2", "kiosk-3", "nobody"]),
            st.integers(-1, 80),
            st.sampled_from(["first", None, "another"]),
            st.sampled_from([1, 2, 3, 500]),
            st.integers(1, 2),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_a_set_gets_the_answers_that_each_gets_alone(busy: Centre, asked: list[tuple[Any, ...]]):
    end = latest(busy)
    calls = [
        Asked(kiosk_id, asking(busy, kiosk_id, min(cursor, end), server_incarnation=known, epoch=epoch), rows)
        for kiosk_id, cursor, known, rows, epoch in asked
    ]
    together = answer(busy, calls)
    assert together == [answer(busy, [each])[0] for each in calls]


# Shared pages.


@pytest.fixture
def large(tmp_path: Path) -> Iterator[Centre]:
    """A centre with 150 patients more, all of them booked."""
    made = Centre(tmp_path / "large.db", Time())
    made.enrol()
    numbers = range(150)
    people = [{"patient_id": f"M{n:03d}", "name": f"Many {n}"} for n in numbers]
    booked = [
        {"appointment_id": f"M{n}", "patient_id": f"M{n:03d}", "exam_id": "X", "scheduled_at": f"{DAY}T16:00"}
        for n in numbers
    ]
    document = read_hospital({"patients": people, "appointments": booked})
    with made.store.write() as db:
        take_hospital(db, made.definitions, made.parts.keys, document, made.time())
    Waiting(made, "kiosk-1", 0, 0.0).answer()
    yield made
    made.store.close()


def page_of(centre: Centre, pages: Pages, cursor: int = 0, rows: int = 500, **changes: Any) -> Pulled:
    with centre.store.read() as db:
        asked = Asked("kiosk-1", asking(centre, "kiosk-1", cursor, **changes), rows)
        (found,) = answer_pulls(db, centre.parts, pages, [asked], (2,))
    assert isinstance(found, Pulled)
    return found


def test_kiosks_that_ask_for_the_same_share_the_bytes_of_a_page(large: Centre):
    pages = Pages(large.definitions)
    first, second = page_of(large, pages), page_of(large, pages)
    assert first.rows.members is second.rows.members
    assert page_of(large, pages, rows=50).rows.members is not first.rows.members


def test_a_large_page_serves_who_comes_soon_after_it_and_the_change_since_comes_in_the_next_one(large: Centre):
    pages = Pages(large.definitions)
    before = page_of(large, pages)
    large.staff("scan_nfc", "P3")
    after = page_of(large, pages)
    assert after.rows.members is before.rows.members
    assert (before.head.more, after.head.more) == (False, True)
    assert ids(read_page(page_of(large, pages, after.head.cursor))) == ["P3"]
    large.time.now_ms += KEPT_MS
    assert "P3" in page_of(large, pages).rows.named


def test_a_small_page_is_read_again_after_each_change(large: Centre):
    pages = Pages(large.definitions)
    cursor = latest(large)
    for patient_id in ("P1", "P2", "P3"):
        large.staff("scan_nfc", patient_id)
        assert patient_id in page_of(large, pages, cursor).rows.named


def test_no_page_outlives_its_day_or_its_incarnation(large: Centre):
    pages = Pages(large.definitions)
    before = page_of(large, pages)
    with large.store.write() as db:
        db.execute("update incarnation set server_incarnation = 'second'")
        note_restore(db, large.time())
    assert page_of(large, pages, server_incarnation="second").rows.members is not before.rows.members
    large.time.pass_minutes(24 * 60)
    assert page_of(large, pages, server_incarnation="second").rows.named == ()


def test_pages_take_no_more_memory_than_they_may(large: Centre):
    size = len(page_of(large, Pages(large.definitions)).rows.members)
    pages = Pages(large.definitions, most_bytes=size)
    first = page_of(large, pages)
    page_of(large, pages, rows=149)
    assert page_of(large, pages).rows.members is not first.rows.members


@pytest.mark.parametrize("days", [0, 1, 3])
def test_a_row_of_many_is_the_row_of_one(large: Centre, days: int):
    for number, patient_id in enumerate(("M001", "M002", "M003", "P1", "P2", "P3")):
        for action in ("scan_nfc", "register", "confirm_arrival", "call_patient")[: number % 5]:
            assert large.staff(action, patient_id).done
    large.bind_card("another", "M001")
    large.time.pass_minutes(days * 24 * 60)
    with large.store.read() as db:
        today = large.today()
        rows = roster_rows(db, large.definitions, today, 0, db.latest_change())
        journeys = {each.patient_id: read_journey(db, large.definitions, each.patient_id, today) for each in rows}
    named = {each.patient_id: each.row for each in rows if each.row is not None}
    assert {each: row.journey for each, row in named.items()} == {each: journeys[each] for each in named}
    if days == 0:
        assert len(named) == 152
        assert len(named["M001"].bindings) == 1
    assert [each.change for each in rows] == sorted(each.change for each in rows)
