"""The story that `make demo` plays: taps while all is well, while the network is cut, and what both ends say after."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import requests

from kiosk.demo import hospital
from kiosk.demo.hospital import DemoError, Person, Places
from kiosk.demo.wire import Wire
from sync.control import ask, socket_path
from sync.ids import new_id

PEOPLE = 6
SETTLE_S = 30.0


@dataclass(slots=True)
class Visit:
    """What one person did at the kiosk, and what the screen told them."""

    person: Person
    online: int = 0
    offline: int = 0
    state: str = ""
    number: str = ""
    actions: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class StoryParts:
    """The story's places and people."""

    places: Places
    wire: Wire
    staff: requests.Session
    visits: list[Visit]


def play(directory: Path) -> bool:
    """Plays the story in an empty directory. Returns whether it came true: everything once, at both ends alike."""
    with ExitStack() as running:
        stage = _set(directory, running)
        steps = [*_steps(stage.visits)]
        with click.progressbar(steps, label="the story", item_show_func=lambda s: s[0] if s else "") as bar:
            for _, step, visits in bar:
                step(stage, visits)
        faults = _compare(stage)
        click.echo(_table(stage))
        for fault in faults:
            click.echo(f"not so: {fault}")
        click.echo("it came true: every action once, both ends alike" if not faults else "it did not come true")
        return not faults


def _set(directory: Path, running: ExitStack) -> StoryParts:
    places = Places(directory, hospital.free_port(), hospital.free_port())
    central = hospital.start_central(places)
    running.callback(central.stop)
    central.await_health()
    wire = Wire("127.0.0.1", places.central_port)
    running.callback(wire.close)
    through = f"http://127.0.0.1:{wire.port}"
    hospital.write_config(places, through, ["simulated"])
    people = hospital.fill(places)
    hospital.enrol(places, through)
    kiosk = hospital.start_kiosk(places)
    running.callback(kiosk.stop)
    kiosk.await_health()
    staff = requests.Session()
    running.callback(staff.close)
    staff.headers["Authorization"] = f"Bearer {hospital.central_command(places, 'token', '--role', 'staff').strip()}"
    return StoryParts(places, wire, staff, [Visit(person) for person in people if person.booked][:PEOPLE])


def _steps(visits: list[Visit]) -> Iterator[tuple[str, Any, list[Visit]]]:
    early, late = visits[: len(visits) // 2], visits[len(visits) // 2 :]
    yield "the roster arrives", _await_roster, []
    for visit in early:
        yield "a tap and two touches", _check_in, [visit]
    yield "the centre has heard", _settle, []
    yield "the first is called", _call, early[:1]
    yield "and taps again: called", _see_call, early[:1]
    yield "the network is cut", _cut, []
    for visit in late:
        yield "a tap and two touches, offline", _check_in, [visit]
    yield "nothing reached the centre", _unheard, late
    yield "the network is back", _mend, []
    yield "the centre has heard", _settle, []


def _await_roster(stage: StoryParts, _: list[Visit]) -> None:
    hospital.wait_for(
        lambda: _status(stage)["online"] and _status(stage)["roster"]["patients"] >= PEOPLE,
        "the kiosk never got its roster",
        SETTLE_S,
    )


def _check_in(stage: StoryParts, visits: list[Visit]) -> None:
    for visit in visits:
        hospital.hold_card(stage.places, visit.person.uid)
        screen = _screen(stage)
        while action := screen["next_action"]:
            screen = _press(stage, visit, action)
        visit.state = screen["journey"]["journey_state"]
        visit.number = screen["ticket"]["queue_number"]
        done = [r["action_id"] for r in _outbox(stage) if r["patient_id"] == visit.person.patient_id]
        if _status(stage)["online"]:
            visit.online += len(done)
        else:
            visit.offline += len(done)
        visit.actions += done


def _press(stage: StoryParts, visit: Visit, action: str) -> Any:
    pressed = requests.post(
        f"{stage.places.kiosk_url}/api/v1/actions",
        json={"action_type": action, "action_id": new_id(), "payload": {"patient_id": visit.person.patient_id}},
        headers={"X-Kiosk": "1"},
        timeout=10,
    )
    if not pressed.ok:
        raise DemoError(f"the kiosk refused {action}: {pressed.text[:200]}")
    return _screen(stage)


def _call(stage: StoryParts, visits: list[Visit]) -> None:
    for visit in visits:
        called = stage.staff.post(
            f"{stage.places.central_url}/api/v1/patient-journey/perform-action/",
            json={
                "action_type": "call_patient",
                "action_id": new_id(),
                "payload": {"patient_id": visit.person.patient_id, "room": "3"},
            },
            timeout=10,
        )
        if not called.ok:
            raise DemoError(f"the centre refused the call: {called.text[:200]}")
        visit.state = called.json()["journey_state"]


def _see_call(stage: StoryParts, visits: list[Visit]) -> None:
    for visit in visits:
        hospital.hold_card(stage.places, visit.person.uid)
        hospital.wait_for(lambda: _called(_screen(stage)), "the kiosk never told the patient of the call", SETTLE_S)


def _called(screen: Any) -> bool:
    return bool(screen["notice"] == "called" and screen["ticket"]["room"] == "3")


def _cut(stage: StoryParts, _: list[Visit]) -> None:
    stage.wire.cut()
    hospital.wait_for(lambda: not _status(stage)["online"], "the kiosk never noticed the cut", SETTLE_S)


def _unheard(stage: StoryParts, visits: list[Visit]) -> None:
    for visit in visits:
        if _history(stage, visit):
            raise DemoError("the centre heard of a tap through a cut wire")


def _mend(stage: StoryParts, _: list[Visit]) -> None:
    stage.wire.mend()


def _settle(stage: StoryParts, _: list[Visit]) -> None:
    hospital.wait_for(lambda: not _status(stage)["outbox"]["pending"], "the outbox never emptied", 2 * SETTLE_S)


def _compare(stage: StoryParts) -> list[str]:
    faults = []
    verdicts = {row["action_id"]: row["status"] for row in _outbox(stage)}
    for visit in stage.visits:
        heard = [row["action_id"] for row in _history(stage, visit) if row["action_id"] in visit.actions]
        if heard != visit.actions:
            faults.append(f"{visit.person.patient_id}: {len(visit.actions)} actions here, {len(heard)} at the centre")
        if any(verdicts[action_id] != "applied" for action_id in visit.actions):
            faults.append(f"{visit.person.patient_id}: not every action was applied")
        state = _central_state(stage, visit)
        if (state["journey_state"], _number(state)) != (visit.state, visit.number):
            faults.append(f"{visit.person.patient_id}: {visit.state} here, {state['journey_state']} at the centre")
    return faults


def _table(stage: StoryParts) -> str:
    rows = [("patient", "online", "offline", "queue number", "at the kiosk", "at the centre")]
    for visit in stage.visits:
        state = _central_state(stage, visit)
        numbers = (str(visit.online), str(visit.offline), visit.number)
        rows.append((visit.person.patient_id, *numbers, visit.state, state["journey_state"]))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(["", *lines, ""])


def _screen(stage: StoryParts) -> Any:
    return requests.get(f"{stage.places.kiosk_url}/api/v1/state", timeout=10).json()


def _status(stage: StoryParts) -> Any:
    return ask(socket_path(stage.places.directory / "kiosk.db"), "status")


def _outbox(stage: StoryParts) -> Any:
    return ask(socket_path(stage.places.directory / "kiosk.db"), "outbox")


def _history(stage: StoryParts, visit: Visit) -> list[Any]:
    url = f"{stage.places.central_url}/api/v1/patients/{visit.person.patient_id}/history/"
    answer = stage.staff.get(url, timeout=10)
    answer.raise_for_status()
    rows: list[Any] = answer.json()["transitions"]
    return rows


def _central_state(stage: StoryParts, visit: Visit) -> Any:
    url = f"{stage.places.central_url}/api/v1/patient-journey/current-state/"
    answer = stage.staff.get(url, params={"patient_id": visit.person.patient_id}, timeout=10)
    answer.raise_for_status()
    return answer.json()


def _number(state: Any) -> str:
    return str(state["queue_details"][0]["queue_number"]) if state["queue_details"] else ""
