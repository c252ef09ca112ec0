"""Journey and queue agree after any requests, in any order, by any sender, over any days."""

import os
import tempfile
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from sync.central.maintenance.housekeeping import close_days
from sync.central.records.entries import count_ahead, entry_of_row
from sync.central.services.answers import Answer
from sync.central.services.call_next import call_next
from sync.central.services.change_entry import change_entry
from sync.central.services.change_place import give_priority, move
from sync.central.services.requester import Requester
from sync.central.services.requests import ActionRequest
from sync.central.services.undo_press import undo_press
from sync.central.services.write_note import set_note
from sync.clock import site_day
from sync.ids import new_id
from sync.journey.definitions import shipped
from sync.journey.model import PATIENT, STAFF
from sync.journey.rules import people_ahead
from tests.sync.central.centre import DAY, ZONE, Centre, patient
from tests.sync.central.databases import Cluster, Database

RULES = shipped()
AT_THE_DESK = Requester(STAFF, "staff", "rest")
patients = st.sampled_from([patient(1), patient(2), patient(5)])
actions = st.sampled_from(sorted(RULES.actions))


class InStep(RuleBasedStateMachine):
    """A hospital of six patients, of whom three act at random."""

    def __init__(self, cluster: Cluster | None = None) -> None:
        super().__init__()
        self._ending = ExitStack()
        directory = Path(self._ending.enter_context(tempfile.TemporaryDirectory()))
        url = self._ending.enter_context(cluster.database()) if cluster else None
        self.centre = Centre(directory, patients=6, database=Database(url, directory) if url else None)
        self.day = date.fromisoformat(DAY)
        self.done: list[tuple[str, str, str, bytes]] = []
        self.presses: list[tuple[str, str, dict[str, Any]]] = []  # the action id, the patient, and how all was before

    def teardown(self) -> None:
        self.centre.store.close()
        self._ending.close()

    @rule(who=patients, action=actions, exam=st.sampled_from([None, None, "blood", "xray", "desk"]))
    def ask(self, who: str, action: str, exam: str | None) -> None:
        """Any sender requests any action."""
        actor = PATIENT if "patient" in RULES.actions[action].by else STAFF
        payload = {"exam_id": exam} if exam else {}
        action_id, before = new_id(), self._picture(who)
        self.centre.clock.now_ms += 1000
        answer = self.centre.act(who, action, actor, action_id, **payload)
        if actor is STAFF:
            self._pressed(answer, action_id, who, before)
        if not payload:
            self.done.append((who, action, action_id, answer.body))

    @rule(who=patients)
    def follow(self, who: str) -> None:
        """A sender does an action that is available now, so that journeys make progress."""
        for actor in (PATIENT, STAFF):
            available = self.centre.state(who, actor)["available_actions"]
            if available:
                self.ask(who, available[0], None)
                return

    @rule(data=st.data())
    def repeat(self, data) -> None:
        """A repeat gets the same answer."""
        if self.done:
            who, action, action_id, body = data.draw(st.sampled_from(self.done))
            actor = PATIENT if "patient" in RULES.actions[action].by else STAFF
            assert self.centre.act(who, action, actor, action_id).body == body

    @rule(data=st.data(), state=st.sampled_from(RULES.queue_states))
    def change(self, data, state: str) -> None:
        """Staff change an entry directly."""
        entries = [row["queue_id"] for row in self.centre.rows("select queue_id from entries order by queue_id")]
        if entries:
            ask = ActionRequest("change_entry", new_id(), {"state": state})
            queue_id = data.draw(st.sampled_from(entries))
            self._press(change_entry, queue_id, ask)

    @rule(data=st.data(), kind=st.sampled_from(["", *RULES.priorities]))
    def prioritise(self, data, kind: str) -> None:
        """Staff let a patient go first, or no longer."""
        ask = ActionRequest("set_priority", new_id(), {"kind": kind, "reason": "seen"})
        self._press(give_priority, self._an_entry(data), ask)

    @rule(
        data=st.data(), exam=st.sampled_from(["blood", "xray", "desk", "sleep"]), place=st.sampled_from(["keep", "end"])
    )
    def send_on(self, data, exam: str, place: str) -> None:
        """Staff move an entry to another line, or to the end of its own."""
        ask = ActionRequest("move_entry", new_id(), {"exam_id": exam, "place": place})
        self._press(move, self._an_entry(data), ask)

    @rule(data=st.data(), text=st.sampled_from(["", "wheelchair", "deaf"]))
    def note(self, data, text: str) -> None:
        """Staff write a note."""
        set_note(
            self.centre.parts, AT_THE_DESK, self._an_entry(data), ActionRequest("set_note", new_id(), {"text": text})
        )

    @rule(data=st.data())
    def call(self, data) -> None:
        """A room calls whom it believes to be the first."""
        queue_id = self._an_entry(data)
        (row,) = self.centre.rows("select exam_id from entries where queue_id = :id", id=queue_id) or [{"exam_id": "x"}]
        ask = ActionRequest("call_next", new_id(), {"exam_id": row["exam_id"], "queue_id": queue_id, "room": "7"})
        self._press(lambda parts, who, _, asked: call_next(parts, who, asked), queue_id, ask)

    @rule(data=st.data())
    def undo(self, data) -> None:
        """Staff undo a press. Where that is done, all is as it was before the press."""
        if not self.presses:
            return
        action_id, who, before = data.draw(st.sampled_from(self.presses[-2:]))
        answer = undo_press(
            self.centre.parts, AT_THE_DESK, ActionRequest("undo_press", new_id(), {"undoes": action_id})
        )
        if answer.done:
            now = self._picture(who)
            known = {row["queue_id"] for row in before["entries"]}
            now["entries"] = [row for row in now["entries"] if row["queue_id"] in known]
            assert now == before
        else:
            assert answer.status == 409

    def _an_entry(self, data) -> str:
        entries = [row["queue_id"] for row in self.centre.rows("select queue_id from entries order by queue_id")]
        return str(data.draw(st.sampled_from(entries))) if entries else "none"

    def _press(self, made: Any, queue_id: str, ask: ActionRequest) -> None:
        self.centre.clock.now_ms += 1000
        rows = self.centre.rows("select patient_id from entries where queue_id = :id", id=queue_id)
        who = rows[0]["patient_id"] if rows else ""
        before = self._picture(who)
        self._pressed(made(self.centre.parts, AT_THE_DESK, queue_id, ask), ask.action_id, who, before)

    def _pressed(self, answer: Answer, action_id: str, who: str, before: dict[str, Any]) -> None:
        pressed = self.centre.rows("select 1 from presses where action_id = :id", id=action_id)
        if answer.done and pressed:
            self.presses.append((action_id, who, before))
        else:
            assert answer.done or not pressed, "what is refused leaves no press"

    def _picture(self, who: str) -> dict[str, Any]:
        """All that a press may change of a patient but the note, whose undo is its own."""
        one = {"id": who}
        of_entries = "(select queue_id from entries where patient_id = :id)"
        return {
            "journey": self.centre.rows(
                "select state, visit_id, leg, current_queue_id from journeys where patient_id = :id", **one
            ),
            "entries": self.centre.rows("select * from entries where patient_id = :id order by queue_id", **one),
            "bookings": self.centre.rows(
                "select * from appointments where patient_id = :id order by appointment_id", **one
            ),
            "kinds": self.centre.rows(
                f"select queue_id, priority_kind, priority_reason from entry_marks where queue_id in {of_entries}"
                " and priority_kind <> '' order by queue_id",
                **one,
            ),
        }

    @rule(sweeps=st.booleans())
    def night(self, sweeps: bool) -> None:
        """A day ends."""
        self.day += timedelta(days=1)
        self.centre.clock.set(self.day.isoformat(), "08:00")
        if sweeps:
            close_days(self.centre.parts, self.day.isoformat())

    @invariant()
    def all_is_well(self) -> None:
        health = self.centre.do("check")
        assert health["ok"], health

    @invariant()
    def the_last_transition_is_where_the_journey_stands(self) -> None:
        for row in self.centre.rows(
            "select j.patient_id, j.state, (select t.to_state from transitions t where t.patient_id = j.patient_id"
            " order by t.change desc, t.position desc limit 1) as told from journeys j"
        ):
            assert row["told"] in (None, row["state"])

    @invariant()
    def the_last_history_row_is_where_the_entry_stands(self) -> None:
        for row in self.centre.rows(
            "select e.state, (select h.new from entry_history h where h.queue_id = e.queue_id"
            " order by h.change desc, h.position desc limit 1) as told from entries e"
        ):
            assert row["told"] == row["state"]

    @invariant()
    def the_database_counts_those_ahead_as_the_rules_do(self) -> None:
        with self.centre.store.read() as db:
            entries = [(row["site_day"], entry_of_row(row)) for row in db.rows("select * from entries")]
            for day, entry in entries:
                line = tuple(other for other_day, other in entries if other_day == day)
                assert count_ahead(db, RULES, day, entry) == people_ahead(RULES, line, entry)

    @invariant()
    def no_number_is_given_twice_a_day(self) -> None:
        given = [
            (site_day(row["opened_ms"], ZONE, "04:00"), row["queue_number"])
            for row in self.centre.rows("select opened_ms, queue_number from entries")
        ]
        assert len(set(given)) == len(given)


LONG = bool(os.environ.get("LONG"))
TestInStep = InStep.TestCase
SETTINGS = settings(
    max_examples=200 if LONG else 30,
    derandomize=not LONG,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestInStep.settings = SETTINGS


def test_the_same_holds_on_postgresql(cluster: Cluster):
    run_state_machine_as_test(lambda: InStep(cluster), settings=settings(SETTINGS, max_examples=60 if LONG else 6))
