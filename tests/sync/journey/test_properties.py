"""What stays true in every order of events: the days of a patient as a state machine of random events."""

from __future__ import annotations

from copy import deepcopy
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from sync.clock import day_after
from sync.journey.day_end import close_day
from sync.journey.model import (
    PATIENT,
    STAFF,
    SYSTEM,
    Action,
    ActionId,
    Actor,
    Decision,
    ExamId,
    Journey,
    Opens,
    QueueId,
    Refusal,
    Role,
    VisitId,
)
from sync.journey.rules import available_actions, change_entry, decide, is_legal, next_exam, people_ahead

from .samples import DESK, RULES, booking, entry, patient

ACTIONS = st.sampled_from([*RULES.actions, "nonsense"])
EXAMS = ("X", "Y", "Z")
KIOSKS = st.frozensets(st.sampled_from(sorted(RULES.actions))).map(lambda grants: Actor(Role.KIOSK, grants))
ASKERS = st.one_of(st.sampled_from([PATIENT, STAFF, STAFF, SYSTEM]), KIOSKS)
BOOKINGS = st.lists(
    st.builds(
        booking,
        st.sampled_from(EXAMS),
        st.integers(0, 5),
        st.sampled_from(RULES.appointment_states),
        overnight=st.booleans(),
    ),
    max_size=4,
    unique_by=lambda a: a.appointment_id,
)


class PatientsDays(RuleBasedStateMachine):
    """Random actions by all senders, direct changes by staff, and ends of days, on one patient."""

    def __init__(self) -> None:
        super().__init__()
        self.journey: Journey = patient()
        self.made = 0
        self.now_ms = 0

    @initialize(bookings=BOOKINGS)
    def a_day_begins(self, bookings: list) -> None:
        self.journey = patient("UNREGISTERED", bookings)

    @rule(name=ACTIONS, actor=ASKERS, data=st.data(), step_ms=st.integers(0, 3))
    def somebody_acts(self, name: str, actor: Actor, data: st.DataObject, step_ms: int) -> None:
        ids = [None, None, "q-unknown", *(e.queue_id for e in self.journey.entries)]
        self.now_ms += step_ms
        self.made += 1
        asked = Action(
            ActionId(f"a{self.made}"),
            name,
            actor,
            self.now_ms,
            Opens(VisitId(f"v{self.made}"), QueueId(f"q{self.made:04d}"), f"B-{self.made:03d}", DESK),
            data.draw(st.sampled_from(ids)),
            data.draw(st.sampled_from([None, None, *map(ExamId, EXAMS)])),
            data.draw(st.sampled_from([None, "5"])),
        )
        before = deepcopy(self.journey)
        outcome = decide(RULES, self.journey, asked)
        assert self.journey == before
        assert decide(RULES, self.journey, asked) == outcome
        self.accept(outcome)
        if isinstance(outcome, Decision):
            self.check_accepted(before, outcome, asked)

    @precondition(lambda self: self.journey.state != "UNREGISTERED")
    @rule(data=st.data())
    def the_next_step_is_taken(self, data: st.DataObject) -> None:
        names = available_actions(RULES, self.journey, STAFF)
        if names:
            self.made += 1
            asked = Action(
                ActionId(f"a{self.made}"),
                data.draw(st.sampled_from(names)),
                STAFF,
                self.now_ms,
                Opens(VisitId(f"v{self.made}"), QueueId(f"q{self.made:04d}"), f"B-{self.made:03d}", DESK),
            )
            outcome = decide(RULES, self.journey, asked)
            assert isinstance(outcome, Decision)
            before = self.journey
            self.accept(outcome)
            self.check_accepted(before, outcome, asked)

    @rule(data=st.data(), state=st.sampled_from([*RULES.queue_states, "asleep"]))
    def staff_change_an_entry(self, data: st.DataObject, state: str) -> None:
        queue_id = data.draw(st.sampled_from([QueueId("q-unknown"), *(e.queue_id for e in self.journey.entries)]))
        before = self.journey
        outcome = change_entry(RULES, before, queue_id, state)
        self.accept(outcome)
        if isinstance(outcome, Decision):
            assert outcome.journey.leg == before.leg
            assert {row.trigger_type for row in outcome.transitions} <= {"queue_sync"}
            self.check_other_entry(before, outcome.journey, queue_id)

    @precondition(lambda self: len(self.journey.entries) < 6)
    @rule(exam=st.sampled_from(EXAMS), state=st.sampled_from(sorted(RULES.live)), overnight=st.booleans())
    def staff_open_an_entry(self, exam: str, state: str, overnight: bool) -> None:
        """Staff open an entry directly, which moves no journey."""
        self.made += 1
        opened = replace(
            entry(1, exam, state, opened_ms=self.now_ms, overnight=overnight), queue_id=QueueId(f"q{self.made:04d}")
        )
        self.journey = replace(self.journey, entries=(*self.journey.entries, opened))

    @rule(bookings=BOOKINGS)
    def the_day_ends(self, bookings: list) -> None:
        before = self.journey
        closed = close_day(RULES, before, day_after(before.site_day))
        after = closed.journey
        assert after.journey_version - before.journey_version in (0, 1)
        if closed.transitions or closed.entry_changes or closed.appointment_changes:
            assert after.journey_version == before.journey_version + 1
        for row in closed.transitions:
            assert is_legal(RULES, row)
        for kept in after.entries:
            assert kept.state == "in_progress" or kept.overnight
            assert kept.state in RULES.live
        assert after.state == "UNREGISTERED" or after.current in after.entries
        ended = {c.queue_id for c in closed.entry_changes}
        for e in before.entries:
            assert e in after.entries or e.queue_id in ended or e.state not in RULES.live or e.state == "no_show"
        self.journey = replace(after, appointments=tuple(bookings))

    def accept(self, outcome: Decision | Refusal) -> None:
        if isinstance(outcome, Refusal):
            assert outcome.journey_state == self.journey.state
            return
        after = outcome.journey
        assert after.journey_version == self.journey.journey_version + 1
        assert after.patient_id == self.journey.patient_id
        assert after.site_day == self.journey.site_day
        states = {e.queue_id: e.state for e in self.journey.entries}
        for change in outcome.entry_changes:
            assert states.get(change.queue_id) == change.previous
            states[change.queue_id] = change.new
        assert states == {e.queue_id: e.state for e in after.entries}
        where = self.journey.state
        for row in outcome.transitions:
            assert row.from_state == where
            assert is_legal(RULES, row)
            where = row.to_state
        assert where == after.state
        numbers = {e.queue_id: e.queue_number for e in self.journey.entries}
        assert all(numbers.get(e.queue_id, e.queue_number) == e.queue_number for e in after.entries)
        self.journey = after

    def check_accepted(self, before: Journey, outcome: Decision, asked: Action) -> None:
        after = outcome.journey
        assert len(outcome.transitions) >= 1
        assert outcome.transitions[0].action == asked.action_type
        confirmed = asked.action_type == "confirm_arrival"
        if before.visit_id == after.visit_id:
            assert after.leg == before.leg + int(confirmed)
        else:
            assert after.leg == 0
            assert asked.action_type in ("scan_nfc", "leave_hospital")
        assert (outcome.opened is not None) <= confirmed
        if confirmed:
            self.check_next_exam(before, after)
        if RULES.actions[asked.action_type].entry and asked.queue_id:
            self.check_other_entry(before, after, asked.queue_id)

    def check_next_exam(self, before: Journey, after: Journey) -> None:
        """A confirmed arrival is about the exam that was announced, and joins the number that was announced."""
        announced, current = next_exam(RULES, before), after.current
        assert current is not None
        if announced is None:
            assert current.exam_id == DESK.exam_id
        else:
            assert (current.exam_id, current.exam_name) == (announced.exam_id, announced.exam_name)
            known = {entry.queue_number for entry in before.entries}
            assert announced.queue_number in (None, current.queue_number)
            assert (announced.queue_number is None) == (current.queue_number not in known)

    def check_other_entry(self, before: Journey, after: Journey, queue_id: QueueId) -> None:
        """A change to an entry that is not the current one never moves the journey."""
        if queue_id != before.current_queue_id:
            assert (after.state, after.current_queue_id) == (before.state, before.current_queue_id)

    @invariant()
    def journey_and_current_entry_are_in_step(self) -> None:
        state, current = self.journey.state, self.journey.current
        if state in ("WAITING", "CALLED", "IN_PROGRESS"):
            assert current is not None
            assert current.state in RULES.live
            assert RULES.queue_to_journey[current.state] == state
        elif state == "COMPLETED":
            assert current is not None
            assert current.state in ("completed", "cancelled")
        else:
            assert current is None or current.state not in RULES.live

    @invariant()
    def a_visit_is_open_exactly_while_the_patient_is_here(self) -> None:
        assert (self.journey.visit_id is None) == (self.journey.state == "UNREGISTERED")

    @invariant()
    def nobody_is_offered_what_would_be_refused_nor_the_other_way_round(self) -> None:
        for actor in (
            PATIENT,
            STAFF,
            SYSTEM,
            Actor(Role.KIOSK, frozenset({"scan_nfc", "register", "confirm_arrival"})),
        ):
            offered = available_actions(RULES, self.journey, actor)
            for name in RULES.actions:
                asked = Action(
                    ActionId("a"), name, actor, self.now_ms, Opens(VisitId("v"), QueueId("q"), "B-000", DESK)
                )
                assert isinstance(decide(RULES, self.journey, asked), Decision) == (name in offered)


TestPatientsDays = PatientsDays.TestCase
TestPatientsDays.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)

LINES = st.lists(
    st.builds(
        entry,
        st.integers(1, 10_000),
        st.just("X"),
        st.sampled_from(sorted(RULES.in_line)),
        opened_ms=st.integers(1, 4),
        priority=st.integers(0, 2),
    ),
    unique_by=lambda e: e.queue_id,
    max_size=12,
)


@given(LINES, st.randoms())
def test_people_ahead_puts_a_line_in_one_total_order_however_it_is_listed(line: list, chance) -> None:
    places = sorted(people_ahead(RULES, tuple(line), e) for e in line)
    assert places == list(range(len(line)))
    shuffled = list(line)
    chance.shuffle(shuffled)
    assert [people_ahead(RULES, tuple(shuffled), e) for e in line] == [
        people_ahead(RULES, tuple(line), e) for e in line
    ]


@given(LINES)
def test_who_has_a_higher_priority_or_came_earlier_is_ahead(line: list) -> None:
    ordered = sorted(line, key=lambda e: people_ahead(RULES, tuple(line), e))
    for ahead, behind in pairwise(ordered):
        assert (-ahead.priority, ahead.opened_ms) <= (-behind.priority, behind.opened_ms)
