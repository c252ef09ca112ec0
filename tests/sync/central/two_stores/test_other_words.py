"""The code of neither end depends on a name of the shipped definitions: other names give the same days.

Every state, status and action of the shipped document is renamed. Two days with all actions of staff, apps and a kiosk
are played under both documents, and their rows are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from sync.central.imports.whole import read_hospital, take_hospital
from sync.central.maintenance.health import check
from sync.central.maintenance.housekeeping import close_days, correct_all_future_days
from sync.central.records.site import read_site
from sync.central.services.current_state import CurrentState, read_current_state
from sync.clock import day_after
from sync.journey.definitions import Definitions, read, shipped
from sync.journey.model import STAFF
from tests.sync.central.wire import DAY, PATIENTS, Centre, Kiosk, Time

MARK = "~"


def words(definitions: Definitions) -> set[str]:
    """Every name that a document of definitions is free to choose."""
    states = (definitions.journey_states, definitions.queue_states, definitions.appointment_states)
    return {*(word for kind in states for word in kind), *definitions.actions}


def reworded(document: Mapping[str, Any]) -> Definitions:
    """The definitions with a mark on every such name, in every place."""
    names = words(read(document))

    def changed(node: Any) -> Any:
        if isinstance(node, Mapping):
            return {changed(key): changed(value) for key, value in node.items()}
        if isinstance(node, list | tuple):
            return [changed(each) for each in node]
        return node + MARK if node in names else node

    events = {state + MARK: event for state, event in document["queue_to_event"].items()}
    return read({**changed(document), "queue_to_event": events})


class Days:
    """Two days at a centre and a kiosk with these definitions."""

    def __init__(self, directory: Path, definitions: Definitions, name: Callable[[str], str]) -> None:
        directory.mkdir()
        self.name = name
        self.time = Time()
        self.centre = Centre(directory / "centre.db", self.time, definitions)
        self.kiosk = Kiosk(directory / "kiosk.db", self.centre, "A", definitions.actions_by("patient"))
        self.kiosk.pull()
        self.closed: list[int] = []

    def staff(self, patient_id: str, *actions: str, **payload: object) -> None:
        for action in actions:
            assert self.centre.staff(self.name(action), patient_id, **payload).done, action
        self.kiosk.sync()

    def at_the_kiosk(self, patient_id: str, *actions: str) -> None:
        for action in actions:
            payload = {"receipt_id": f"R-{patient_id}"} if shipped().actions[action].proof else {}
            acted = self.kiosk.act(patient_id, self.name(action), **payload)
            assert acted.refusal is None, (action, acted.refusal)
        self.kiosk.sync()

    def tap(self, patient_id: str) -> None:
        assert self.kiosk.tap(patient_id, self.name("scan_nfc"))

    def book(self, appointment_id: str, patient_id: str, exam_id: str, at: str) -> None:
        booking = {"appointment_id": appointment_id, "patient_id": patient_id, "exam_id": exam_id, "scheduled_at": at}
        document = {"exams": [], "patients": [], "appointments": [booking]}
        with self.centre.store.write() as db:
            take_hospital(db, self.centre.definitions, self.centre.parts.keys, read_hospital(document), self.time())

    def change_entry(self, patient_id: str, state: str) -> None:
        queue_id = self.centre.journey(patient_id).current_queue_id
        assert queue_id is not None
        assert self.centre.change_entry(queue_id, self.name(state)).done

    def pass_a_day(self) -> None:
        self.time.pass_minutes(24 * 60)

    def registration(self) -> None:
        self.tap("P1")
        self.at_the_kiosk("P1", "register")

    def first_day(self) -> None:
        """Exams, absence, cancellation and payment; at its end one patient waits and one is being seen."""
        self.at_the_kiosk("P1", "confirm_arrival")
        self.staff("P1", "call_patient", "mark_no_show")
        self.change_entry("P1", "delayed")
        self.staff("P1", "call_patient")
        self.at_the_kiosk("P1", "enter_exam_room")
        assert self.centre.correct("P1", self.name("CALLED")).done
        self.staff("P1", "start_exam", "complete_exam")
        self.at_the_kiosk("P1", "confirm_arrival")
        self.staff("P1", "cancel_appointment")
        assert not self.centre.correct("P1", self.name("UNREGISTERED")).done
        self.at_the_kiosk("P1", "make_payment", "make_payment", "leave_hospital")
        self.tap("P2")
        self.kiosk.sync()
        self.staff("P2", "cancel_appointment", exam_id="X")
        self.book("A3", "P2", "X", f"{DAY}T12:00")
        self.at_the_kiosk("P2", "register", "confirm_arrival")
        self.staff("P3", "scan_nfc", "register", "confirm_arrival", "call_patient", "start_exam")

    def clock_ahead(self) -> None:
        """A wrong clock ends the day, and the rows are corrected."""
        self.book("A9", "P1", "X", f"{day_after(DAY)}T10:00")
        self.time.pass_minutes(3 * 24 * 60)
        self.closed.append(close_days(self.centre.parts, self.today()))
        self.time.pass_minutes(-3 * 24 * 60)
        correct_all_future_days(self.centre.parts, self.today())
        self.kiosk.sync()

    def second_day(self) -> None:
        self.pass_a_day()
        self.closed.append(close_days(self.centre.parts, self.today()))
        self.kiosk.sync()
        self.tap("P1")
        self.at_the_kiosk("P1", "register", "confirm_arrival")
        self.staff("P3", "complete_exam", "confirm_arrival")

    def one_person_twice(self) -> None:
        """Two records belong to one person with places in two lines. One place is cancelled."""
        assert self.centre.merge("P1", "P3").done
        self.kiosk.pull()
        self.staff("P1", "cancel_appointment")

    def today(self) -> str:
        with self.centre.store.read() as db:
            return read_site(db).day(self.time())

    def outcome(self) -> dict[str, Any]:
        """All rows that may hold a name, and the views of apps and the kiosk."""
        with self.centre.store.read() as db:
            health = check(db, self.centre.definitions)
        states = [read_current_state(self.centre.parts, STAFF, patient_id).value for patient_id in PATIENTS]
        return {
            "appointments": self.centre.rows("select appointment_id, status from appointments order by appointment_id"),
            "entries": self.centre.rows("select patient_id, leg, state from entries order by patient_id, leg, exam_id"),
            "journeys": self.centre.rows("select patient_id, state, leg, journey_version from journeys order by 1"),
            "transitions": self.centre.rows(
                "select patient_id, from_state, to_state, action, trigger_type from transitions"
                " order by change, position"
            ),
            "history": self.centre.rows("select previous, new, reason from entry_history order by change, position"),
            "cases": self.centre.rows("select code, patient_id from exceptions order by 1, 2"),
            "closed": self.closed,
            "outbox": self.kiosk.statuses(),
            "kiosk": [self.kiosk.view(patient_id).state for patient_id in PATIENTS if self.kiosk.base(patient_id)],
            "states": [
                (state.journey_state, state.available_actions, [each.status for each in state.appointments])
                for state in states
                if isinstance(state, CurrentState)
            ],
            "healthy": [health.inconsistent, health.orphans, health.illegal_transitions],
        }

    def close(self) -> None:
        self.kiosk.store.close()
        self.centre.store.close()


def played(days: Days) -> str:
    """The outcome after each part, as JSON."""
    parts = []
    for part in (days.registration, days.first_day, days.clock_ahead, days.second_day, days.one_person_twice):
        part()
        parts.append(days.outcome())
    days.close()
    return msgspec.json.encode(parts).decode()


def test_under_other_names_for_every_state_status_and_action_the_same_days_pass(tmp_path: Path):
    document = shipped().document
    as_shipped = Days(tmp_path / "shipped", shipped(), lambda word: word)
    renamed = Days(tmp_path / "renamed", reworded(document), lambda word: word + MARK)
    outcome = played(renamed)
    assert {word for word in words(shipped()) if f'"{word}"' in outcome} == set()
    assert outcome.replace(MARK, "") == played(as_shipped)


def test_the_days_that_are_compared_meet_every_action_and_every_state(tmp_path: Path):
    outcome = played(Days(tmp_path / "shipped", shipped(), lambda word: word))
    assert {word for word in words(shipped()) if f'"{word}"' not in outcome} == set()
