"""Taps, verdicts and pages in any order: the kiosk always shows base ⊕ pending, and in the end the centre's journey.

The centre here is a pure model with the same rules. Its messages arrive late: verdicts in their order and pages in
theirs, but in any order among each other and among the actions at the kiosk.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from kiosk.store import outbox, outbox_bodies
from kiosk.store.sqlite import Store
from sync.journey.definitions import shipped
from sync.journey.model import (
    STAFF,
    Action,
    ActionId,
    Actor,
    Decision,
    Journey,
    Opens,
    PatientId,
    QueueId,
    Role,
    VisitId,
)
from sync.journey.rules import decide
from sync.protocol import Code, Intent, PullAnswer, Verdict, VerdictRow
from sync.rebase import Pending, rebase
from tests.kiosk.parts import KioskParts
from tests.kiosk.samples import SITE, TODAY, Clock, booking, cards, enrolment, page, row

RULES = shipped()
EVERYTHING = tuple(RULES.actions_by("patient"))
US = Actor(Role.KIOSK, frozenset(EVERYTHING))
NUMBERS = st.sampled_from([1, 2])


class Centre:
    """Judges intents by the rules, and acts for staff and other kiosks."""

    def __init__(self) -> None:
        self.journeys = {
            PatientId(f"P{n}"): replace(row(n).journey, appointments=(booking(n), booking(n, "BLOOD", "11:00")))
            for n in (1, 2)
        }
        self.aliases: dict[str, VisitId] = {}
        self.made = 0

    def others_act(self, patient_id: PatientId, name: str) -> None:
        """Does an action of staff or another kiosk, where the rules allow it."""
        self.made += 1
        outcome = decide(
            RULES,
            self.journeys[patient_id],
            Action(
                ActionId(f"other-{self.made}"),
                name,
                STAFF,
                self.made,
                Opens(VisitId(f"ov-{self.made}"), QueueId(f"oq-{self.made}"), f"A-{self.made:03d}", SITE.walk_in),
            ),
        )
        if isinstance(outcome, Decision):
            self.journeys[patient_id] = outcome.journey

    def judge(self, intent: Intent) -> VerdictRow:
        patient_id = PatientId(intent.patient_id)
        journey = self.journeys[patient_id]
        visit_id = self.aliases.get(intent.visit_id, VisitId(intent.visit_id))
        verdict, code = Verdict.SUPERSEDED, Code.MOVED_ON
        if intent.action_type == "scan_nfc" and journey.visit_id is not None:
            self.aliases[intent.visit_id] = visit_id = journey.visit_id
            verdict, code = Verdict.MERGED, Code.VISIT_ALIAS
        elif (journey.leg, journey.state) == (intent.leg, intent.journey_state) and journey.visit_id in (
            None,
            visit_id,
        ):
            action = Action(
                ActionId(intent.action_id),
                intent.action_type,
                US,
                intent.clock.wall_ms,
                Opens(visit_id, QueueId(intent.queue_id), intent.queue_number, SITE.walk_in),
            )
            outcome = decide(RULES, journey, action)
            if isinstance(outcome, Decision):
                self.journeys[patient_id] = outcome.journey
                verdict, code = Verdict.APPLIED, Code.OK
        return VerdictRow(
            action_id=intent.action_id,
            seq=intent.seq,
            verdict=verdict,
            code=code,
            patient_id=patient_id,
            visit_id=visit_id,
            journey=self.journeys[patient_id],
        )


class Interleavings(RuleBasedStateMachine):
    """A real kiosk, a model of the expected screen, and messages under way in both directions."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.clock = Clock()
        self.store = Store(self.directory / "kiosk.db")
        self.kiosk = KioskParts(self.store, self.clock)
        self.kiosk.ledger.enrol(enrolment(actions=EVERYTHING))
        self.centre = Centre()
        self.kiosk.ledger.adopt(self.page(0))
        self.base: dict[PatientId, Journey] = dict(self.centre.journeys)
        self.pending: list[tuple[PatientId, Pending]] = []
        self.pushed = 0
        self.verdicts: list[list[VerdictRow]] = []
        self.pages: list[PullAnswer] = []
        self.cursor = 1

    def teardown(self) -> None:
        self.deliver_everything()
        self.what_is_shown_is_base_and_pending()
        assert self.kiosk.pending() == 0
        for patient_id, journey in self.centre.journeys.items():
            status = self.kiosk.journeys.patient_status(patient_id)
            assert status is not None
            assert status.journey == journey
        self.store.close()
        shutil.rmtree(self.directory)

    def page(self, from_cursor: int) -> PullAnswer:
        rows = [row(n, journey=self.centre.journeys[PatientId(f"P{n}")]) for n in (1, 2)]
        return page(*rows, from_cursor=from_cursor, cursor=from_cursor + 1, actions=EVERYTHING)

    # At the kiosk.

    @rule(number=NUMBERS, name=st.sampled_from(EVERYTHING))
    def somebody_acts_here(self, number: int, name: str) -> None:
        self.clock.forward(1000)
        acted = self.kiosk.journeys.act(f"P{number}", name, None, {}, cards(number))
        if acted.refusal is None:
            self.note(PatientId(f"P{number}"), acted.action_ids[0])

    @rule(number=NUMBERS)
    def somebody_taps(self, number: int) -> None:
        self.clock.forward(1000)
        acted = self.kiosk.journeys.tap(cards(number), ("scan_nfc", "register"))
        assert acted is not None
        for action_id in acted.action_ids:
            self.note(PatientId(f"P{number}"), action_id)

    def note(self, patient_id: PatientId, action_id: str) -> None:
        with self.store.read() as db:
            found = outbox.find(db, action_id)
        assert found is not None
        intent = outbox_bodies.read(found)
        assert intent is not None
        assert intent.base_version == self.base[patient_id].journey_version
        opens = Opens(VisitId(intent.visit_id), QueueId(intent.queue_id), intent.queue_number, SITE.walk_in)
        action = Action(ActionId(action_id), intent.action_type, US, intent.clock.wall_ms, opens)
        mine = Pending(action, VisitId(intent.visit_id), intent.leg, intent.journey_state, TODAY)
        self.pending.append((patient_id, mine))

    # At the centre.

    @rule(number=NUMBERS, name=st.sampled_from(sorted(RULES.actions)))
    def others_act(self, number: int, name: str) -> None:
        self.centre.others_act(PatientId(f"P{number}"), name)

    @rule(limit=st.integers(1, 4))
    def a_push_is_judged(self, limit: int) -> None:
        """The centre judges the next actions; the answer is under way."""
        batch = self.kiosk.ledger.batch(100, None)
        intents = [msgspec.json.decode(pushed.body, type=Intent) for pushed in batch]
        fresh = [intent for intent in intents if intent.seq > self.pushed][:limit]
        if fresh:
            self.pushed = fresh[-1].seq
            self.verdicts.append([self.centre.judge(intent) for intent in fresh])

    @rule()
    def a_page_sets_out(self) -> None:
        self.pages.append(self.page(self.cursor + len(self.pages)))

    # Under way.

    @precondition(lambda self: self.verdicts)
    @rule()
    def verdicts_arrive(self) -> None:
        verdicts = self.verdicts.pop(0)
        self.kiosk.ledger.retire(verdicts)
        for verdict in verdicts:
            patient_id = PatientId(str(verdict.patient_id))
            assert verdict.journey is not None
            if verdict.journey.journey_version > self.base[patient_id].journey_version:
                self.base[patient_id] = verdict.journey
            judged = next(p for _, p in self.pending if p.action.action_id == verdict.action_id)
            self.pending = [(who, p) for who, p in self.pending if p is not judged]
            if verdict.code is Code.VISIT_ALIAS:
                self.pending = [
                    (who, _followed(p, judged.visit_id, VisitId(str(verdict.visit_id)))) for who, p in self.pending
                ]

    @precondition(lambda self: self.verdicts)
    @rule()
    def verdicts_arrive_twice(self) -> None:
        """Repeats a push whose answer is late, so that both answers come."""
        again = list(self.verdicts[0])
        self.verdicts_arrive()
        assert self.kiosk.ledger.retire(again) == frozenset()

    @precondition(lambda self: self.pages)
    @rule()
    def a_page_arrives(self) -> None:
        arrived = self.pages.pop(0)
        assert self.kiosk.ledger.adopt(arrived) is not None
        self.cursor += 1
        for row_ in arrived.patients:
            if row_.journey.journey_version >= self.base[row_.journey.patient_id].journey_version:
                self.base[row_.journey.patient_id] = row_.journey

    @rule()
    def the_kiosk_restarts(self) -> None:
        self.store.close()
        self.store = Store(self.directory / "kiosk.db")
        self.kiosk = KioskParts(self.store, self.clock)

    def deliver_everything(self) -> None:
        while self.kiosk.pending() and (self.verdicts or self.kiosk.ledger.batch(1, None)):
            self.a_push_is_judged(4)
            while self.verdicts:
                self.verdicts_arrive()
        while self.pages:
            self.a_page_arrives()
        self.a_page_sets_out()
        self.a_page_arrives()

    @invariant()
    def what_is_shown_is_base_and_pending(self) -> None:
        for patient_id, base in self.base.items():
            mine = [pending for who, pending in self.pending if who == patient_id]
            status = self.kiosk.journeys.patient_status(patient_id)
            assert status is not None
            assert status.patient.base == base
            assert status.journey == rebase(RULES, base, mine).journey
            assert status.pending == len(mine)


def _followed(pending: Pending, alias: VisitId, visit_id: VisitId) -> Pending:
    if pending.visit_id != alias:
        return pending
    opens = replace(pending.action.opens, visit_id=visit_id)
    return replace(pending, visit_id=visit_id, action=replace(pending.action, opens=opens))


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
