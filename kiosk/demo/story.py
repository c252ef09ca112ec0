"""The story that `make demo` plays: taps online, taps while the network is cut, and the comparison of both ends."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import requests

from kiosk.demo import hospital
from kiosk.demo.hospital import DemoError, Person, Places
from kiosk.demo.open_page import OpenPage
from kiosk.demo.wire import Wire
from sync.control import ask, socket_path
from sync.ids import new_id

PEOPLE = 6
WAIT_S = 30.0


@dataclass(slots=True)
class Visit:
    """What one person did at the kiosk, and what the screen showed: state and queue number.

    `online` and `offline` count the actions, `actions` are their ids.
    """

    person: Person
    online: int = 0
    offline: int = 0
    state: str = ""
    number: str = ""
    actions: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class StoryParts:
    """What every step of the story needs."""

    places: Places
    wire: Wire
    page: OpenPage
    staff: requests.Session
    visits: list[Visit]


def play(directory: Path) -> bool:
    """Plays the story in an empty directory. Returns whether both ends have every action once, and equal states."""
    with ExitStack() as running:
        parts = _start(directory, running)
        steps = [*_steps(parts.visits)]
        with click.progressbar(steps, label="the story", item_show_func=lambda s: s[0] if s else "") as bar:
            for _, step, visits in bar:
                step(parts, visits)
        faults = _compare(parts)
        click.echo(_table(parts))
        for fault in faults:
            click.echo(f"wrong: {fault}")
        click.echo("both ends agree: every action once, the same states" if not faults else "the ends do not agree")
        return not faults


def _start(directory: Path, running: ExitStack) -> StoryParts:
    places = Places(directory, hospital.free_port(), hospital.free_port())
    central = hospital.start_central(places)
    running.callback(central.stop)
    central.await_health()
    wire = Wire("127.0.0.1", places.central_port)
    running.callback(wire.close)
    wire_url = f"http://127.0.0.1:{wire.port}"
    hospital.write_config(places, wire_url, ["simulated"])
    people = hospital.fill(places)
    hospital.enrol(places, wire_url)
    kiosk = hospital.start_kiosk(places)
    running.callback(kiosk.stop)
    kiosk.await_health()
    staff = requests.Session()
    running.callback(staff.close)
    token = hospital.ask_central(places, "token", role="staff", name="demo")["token"]
    staff.headers["Authorization"] = f"Bearer {token}"
    visits = [Visit(person) for person in people if person.booked][:PEOPLE]
    return StoryParts(places, wire, OpenPage(places), staff, visits)


def _steps(visits: list[Visit]) -> Iterator[tuple[str, Any, list[Visit]]]:
    early, late = visits[: len(visits) // 2], visits[len(visits) // 2 :]
    yield "the roster arrives", _await_roster, []
    for visit in early:
        yield "a tap and two touches", _check_in, [visit]
    yield "the centre has every action", _await_verdicts, []
    yield "the first patient is called", _call, early[:1]
    yield "and taps again: called", _await_call, early[:1]
    yield "the network is cut", _cut, []
    for visit in late:
        yield "a tap and two touches, offline", _check_in, [visit]
    yield "nothing has reached the centre", _expect_no_history, late
    yield "the network is back", _mend, []
    yield "the centre has every action", _await_verdicts, []


def _await_roster(parts: StoryParts, _: list[Visit]) -> None:
    hospital.wait_for(
        lambda: _status(parts)["online"] and _status(parts)["roster"]["patients"] >= PEOPLE,
        "the kiosk never got its roster",
        WAIT_S,
    )


def _check_in(parts: StoryParts, visits: list[Visit]) -> None:
    for visit in visits:
        hospital.hold_card(parts.places, visit.person.uid)
        screen = _screen(parts)
        while screen["next_action"]:
            screen = _press(parts, screen)
        visit.state = screen["journey"]["journey_state"]
        visit.number = screen["ticket"]["queue_number"]
        action_ids = [r["action_id"] for r in _outbox(parts) if r["patient_id"] == visit.person.patient_id]
        if _status(parts)["online"]:
            visit.online += len(action_ids)
        else:
            visit.offline += len(action_ids)
        visit.actions += action_ids


def _press(parts: StoryParts, screen: Any) -> Any:
    answer = parts.page.press(screen)
    if not answer.ok:
        raise DemoError(f"the kiosk refused {screen['next_action']}: {answer.text[:200]}")
    return answer.json()


def _call(parts: StoryParts, visits: list[Visit]) -> None:
    for visit in visits:
        answer = parts.staff.post(
            f"{parts.places.central_url}/api/v1/patient-journey/perform-action/",
            json={
                "action_type": "call_patient",
                "action_id": new_id(),
                "payload": {"patient_id": visit.person.patient_id, "room": "3"},
            },
            timeout=10,
        )
        if not answer.ok:
            raise DemoError(f"the centre refused the call: {answer.text[:200]}")
        visit.state = answer.json()["journey_state"]


def _await_call(parts: StoryParts, visits: list[Visit]) -> None:
    for visit in visits:
        hospital.hold_card(parts.places, visit.person.uid)
        hospital.wait_for(lambda: _called(_screen(parts)), "the kiosk never showed the call", WAIT_S)


def _called(screen: Any) -> bool:
    return bool(screen["ticket"] and screen["ticket"]["called"] and screen["ticket"]["room"] == "3")


def _cut(parts: StoryParts, _: list[Visit]) -> None:
    parts.wire.cut()
    hospital.wait_for(lambda: not _status(parts)["online"], "the kiosk never noticed the cut", WAIT_S)


def _expect_no_history(parts: StoryParts, visits: list[Visit]) -> None:
    for visit in visits:
        if _history(parts, visit):
            raise DemoError("a tap reached the centre through a cut wire")


def _mend(parts: StoryParts, _: list[Visit]) -> None:
    parts.wire.mend()


def _await_verdicts(parts: StoryParts, _: list[Visit]) -> None:
    hospital.wait_for(lambda: not _status(parts)["outbox"]["pending"], "the outbox never emptied", 2 * WAIT_S)


def _compare(parts: StoryParts) -> list[str]:
    faults = []
    verdicts = {row["action_id"]: row["status"] for row in _outbox(parts)}
    for visit in parts.visits:
        central_ids = [row["action_id"] for row in _history(parts, visit) if row["action_id"] in visit.actions]
        if central_ids != visit.actions:
            faults.append(
                f"{visit.person.patient_id}: {len(visit.actions)} actions here, {len(central_ids)} at the centre"
            )
        if any(verdicts[action_id] != "applied" for action_id in visit.actions):
            faults.append(f"{visit.person.patient_id}: not every action was applied")
        state = _central_state(parts, visit)
        if (state["journey_state"], _number(state)) != (visit.state, visit.number):
            faults.append(f"{visit.person.patient_id}: {visit.state} here, {state['journey_state']} at the centre")
    return faults


def _table(parts: StoryParts) -> str:
    rows = [("patient", "online", "offline", "queue number", "at the kiosk", "at the centre")]
    for visit in parts.visits:
        state = _central_state(parts, visit)
        numbers = (str(visit.online), str(visit.offline), visit.number)
        rows.append((visit.person.patient_id, *numbers, visit.state, state["journey_state"]))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(["", *lines, ""])


def _screen(parts: StoryParts) -> Any:
    return parts.page.screen()


def _status(parts: StoryParts) -> Any:
    return ask(socket_path(parts.places.directory / "kiosk.db"), "status")


def _outbox(parts: StoryParts) -> Any:
    return ask(socket_path(parts.places.directory / "kiosk.db"), "outbox")


def _history(parts: StoryParts, visit: Visit) -> list[Any]:
    url = f"{parts.places.central_url}/api/v1/patients/{visit.person.patient_id}/history/"
    answer = parts.staff.get(url, timeout=10)
    answer.raise_for_status()
    rows: list[Any] = answer.json()["transitions"]
    return rows


def _central_state(parts: StoryParts, visit: Visit) -> Any:
    url = f"{parts.places.central_url}/api/v1/patient-journey/current-state/"
    answer = parts.staff.get(url, params={"patient_id": visit.person.patient_id}, timeout=10)
    answer.raise_for_status()
    return answer.json()


def _number(state: Any) -> str:
    return str(state["queue_details"][0]["queue_number"]) if state["queue_details"] else ""
