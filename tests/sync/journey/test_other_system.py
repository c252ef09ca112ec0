"""Words of another system: whatever it says, the journey is whole, and where the rules agree it is theirs."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sync.journey.model import STAFF, Action, ActionId, Decision, Exam, ExamId, Journey, Opens, QueueId, VisitId
from sync.journey.other_system import Word, WordEntry, differences, follow
from sync.journey.rules import decide, is_legal

from .samples import DAY, DESK, RULES, booking, patient

ACTIONS = tuple(RULES.actions)
EXAMS = tuple(Exam(ExamId(name), name, name, "1") for name in ("X", "Y"))


def action(action_type: str, number: int = 0) -> Action:
    """An action as a word has it."""
    opens = Opens(VisitId(f"v{number}"), QueueId(f"new{number}"), "", DESK)
    return Action(ActionId(f"w{number}"), action_type, STAFF, 1000 + number, opens)


@st.composite
def words(draw: st.DrawFn) -> Word:
    """Any word: true, odd, or impossible by the rules."""
    number = draw(st.integers(0, 9))
    exams = draw(st.lists(st.sampled_from(EXAMS), max_size=3))
    states = st.sampled_from(RULES.queue_states)
    entries = (
        WordEntry(QueueId(f"told{number}-{place}"), exam.exam_id, draw(states), str(place), exam)
        for place, exam in enumerate(exams)
    )
    to_state = draw(st.sampled_from(RULES.journey_states))
    return Word(action(draw(st.sampled_from(ACTIONS)), number), to_state, tuple(entries))


@given(st.lists(words(), min_size=1, max_size=6))
def test_a_word_is_followed_whole_or_not_at_all(told: list[Word]):
    now = start()
    for word in told:
        outcome = follow(RULES, now, word)
        if not isinstance(outcome, Decision):
            continue
        after = outcome.journey
        assert after.state == word.to_state
        assert after.journey_version == now.journey_version + 1
        assert (after.visit_id is None) == (after.state == RULES.initial)
        if after.state in RULES.journey_to_queue:
            assert after.current is not None
            assert RULES.queue_to_journey[after.current.state] == after.state
        elif after.current is not None:
            assert after.current.state not in RULES.live
        assert all(is_legal(RULES, row) for row in outcome.transitions)
        assert len({entry.queue_id for entry in after.entries}) == len(after.entries)
        assert {change.queue_id for change in outcome.entry_changes} == {
            entry.queue_id for entry in after.entries if state_of(now, entry.queue_id) != entry.state
        }
        now = after


def start() -> Journey:
    """The patient before the first word."""
    return patient(bookings=[booking("X"), booking("Y", 2000)])


def state_of(before: Journey, queue_id: QueueId) -> str | None:
    entry = before.entry(queue_id)
    return entry.state if entry else None


@given(st.lists(st.sampled_from(ACTIONS), max_size=12))
def test_a_word_that_the_rules_agree_with_does_what_the_rules_do(actions: list[str]):
    now, numbers = start(), itertools.count()
    for name in actions:
        asked = action(name, next(numbers))
        by_rules = decide(RULES, now, asked)
        if not isinstance(by_rules, Decision):
            continue
        entries = tuple(WordEntry(e.queue_id, e.exam_id, e.state) for e in by_rules.journey.entries)
        word = Word(asked, by_rules.journey.state, entries)
        assert differences(RULES, now, word) == ()
        followed = follow(RULES, now, word)
        assert isinstance(followed, Decision)
        assert followed.journey == by_rules.journey
        assert followed.entry_changes == by_rules.entry_changes
        (row,) = followed.transitions
        assert (row.from_state, row.action, row.to_state, row.trigger_type) == (
            *(now.state, name, by_rules.journey.state, "queue_sync"),
        )
        now = by_rules.journey


@pytest.mark.parametrize(
    ("to_state", "entries", "is_refused", "kinds"),
    [
        ("REGISTERED", (), False, []),
        ("FINISHED", (), False, ["journey_state"]),
        ("ARRIVED", (), True, ["allowed"]),
        ("REGISTERED", (("X", "waiting"),), False, ["entry_state"]),
        ("REGISTERED", (("X", "completed"),), False, []),
    ],
)
def test_each_kind_of_difference_is_told(
    to_state: str, entries: tuple[tuple[str, str], ...], is_refused: bool, kinds: list[str]
):
    now = replace(start(), state="ARRIVED", visit_id=VisitId("v"))
    told = tuple(WordEntry(None, ExamId(exam), state) for exam, state in entries)
    found = differences(RULES, now, Word(action("register"), to_state, told, is_refused))
    assert [each.kind for each in found] == kinds


def test_what_both_refuse_is_no_difference_and_what_the_rules_alone_refuse_is_one():
    now = start()
    refused = Word(action("register"), now.state, is_refused=True)
    assert differences(RULES, now, refused) == ()
    (found,) = differences(RULES, now, replace(refused, is_refused=False))
    assert (found.kind, found.rules) == ("refused", "not_allowed")


def test_a_booking_goes_with_the_entry_that_the_other_system_opened():
    told = (WordEntry(QueueId("old"), ExamId("Y"), "called", "A7", EXAMS[1]),)
    outcome = follow(RULES, start(), Word(action("call_patient"), "CALLED", told))
    assert isinstance(outcome, Decision)
    (entry,) = outcome.journey.entries
    assert (entry.queue_number, entry.appointment_id, entry.leg) == ("A7", booking("Y", 2000).appointment_id, 1)
    statuses = {each.exam_id: each.status for each in outcome.journey.appointments}
    assert statuses == {"X": "booked", "Y": "waiting"}
    assert outcome.journey.site_day == DAY
