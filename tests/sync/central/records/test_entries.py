"""A line has one order: that of the rules. The database counts and lists in that order."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sync.central.records.entries import count_ahead, write_entry
from sync.central.records.entry_search import find_entries
from sync.central.records.journeys import read_journey
from sync.central.store.transactions import WriteTransaction
from sync.journey.definitions import shipped
from sync.journey.model import ExamId, QueueEntry, QueueId
from sync.journey.rules import people_ahead, place_in_line
from tests.sync.central.centre import DAY, Centre, patient

RULES = shipped()
EXAMS = ("blood", "xray")
ENTRIES = st.lists(
    st.builds(
        QueueEntry,
        st.sampled_from([QueueId(f"q{letter}") for letter in "abcdefgh"]),
        st.sampled_from([ExamId(exam) for exam in EXAMS]),
        st.just("a label"),
        st.just("a room"),
        st.sampled_from(RULES.queue_states),
        st.just("C-001"),
        st.just(1),
        opened_ms=st.integers(1, 3),
        priority=st.integers(-1, 2),
    ),
    max_size=8,
    unique_by=lambda entry: entry.queue_id,
)


class Undone(Exception):
    """Undoes the writes of an example."""


@pytest.fixture(scope="module")
def hospital() -> Iterator[Centre]:
    with tempfile.TemporaryDirectory() as directory:
        made = Centre(Path(directory), patients=1)
        yield made
        made.store.close()


@contextmanager
def lines_of(centre: Centre, entries: Sequence[QueueEntry]) -> Iterator[WriteTransaction]:
    """A transaction with these entries, which is undone at the end."""
    with suppress(Undone), centre.store.write() as db:
        journey = read_journey(db, RULES, patient(1), DAY)
        assert journey is not None
        for entry in entries:
            write_entry(db, journey, entry, fresh=True)
        yield db
        raise Undone


def list_entries(db: WriteTransaction, exam_id: str | None = None) -> list[str]:
    """The live entries, as the list of the staff has them."""
    found = find_entries(db, DAY, RULES.live, 500, exam_id=exam_id)
    assert found is not None
    return [each.entry.queue_id for each in found.entries]


@given(ENTRIES)
def test_as_many_are_counted_ahead_as_the_rules_say(hospital: Centre, entries: list[QueueEntry]):
    with lines_of(hospital, entries) as db:
        for entry in entries:
            assert count_ahead(db, RULES, DAY, entry) == people_ahead(RULES, tuple(entries), entry)


@given(ENTRIES)
def test_the_list_of_the_staff_has_each_line_in_the_order_of_the_rules(hospital: Centre, entries: list[QueueEntry]):
    live = sorted((entry for entry in entries if entry.state in RULES.live), key=place_in_line)
    with lines_of(hospital, entries) as db:
        listed = list_entries(db)
        alone = list_entries(db, exam_id="xray")
    assert listed == [e.queue_id for exam in EXAMS for e in live if e.exam_id == exam]
    assert alone == [e.queue_id for e in live if e.exam_id == "xray"]


@given(ENTRIES, st.integers(1, 4))
def test_the_pages_of_a_list_are_the_list_and_each_says_how_many_entries_follow(
    hospital: Centre, entries: list[QueueEntry], limit: int
):
    with lines_of(hospital, entries) as db:
        whole, pages, after = list_entries(db), [], None
        while (page := find_entries(db, DAY, RULES.live, limit, after=after)) is not None and page.entries:
            pages += [each.entry.queue_id for each in page.entries]
            assert page.more == len(whole) - len(pages)
            after = pages[-1]
        assert pages == whole
        assert find_entries(db, DAY, RULES.live, limit, after="nobody's") is None


def test_who_has_priority_stands_before_who_came_earlier(hospital: Centre):
    late = QueueEntry(QueueId("late"), ExamId("xray"), "x", "1", "waiting", "C-002", 1, opened_ms=9)
    urgent = replace(late, queue_id=QueueId("urgent"), opened_ms=99, priority=1)
    early = replace(late, queue_id=QueueId("early"), opened_ms=1)
    with lines_of(hospital, [late, urgent, early]) as db:
        assert list_entries(db) == ["urgent", "early", "late"]
        assert [count_ahead(db, RULES, DAY, each) for each in (urgent, early, late)] == [0, 1, 2]


def test_the_people_ahead_are_counted_in_the_index_alone(hospital: Centre):
    entry, statements = QueueEntry(QueueId("q"), ExamId("blood"), "", "", "waiting", "C-001", 1, 0), list[str]()
    with hospital.store.write() as db:
        hospital.store._writer.set_trace_callback(statements.append)
        count_ahead(db, RULES, DAY, entry)
        hospital.store._writer.set_trace_callback(None)
    (plan,) = hospital.rows(f"explain query plan {statements[0]}")
    assert "COVERING INDEX entries_of_line" in plan["detail"]
