"""At the command line while the service runs: what a kiosk did is listed and taken back, and its cases discarded."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from sync.central.commands.main import main
from sync.central.operations.catalog import operations_for
from sync.central.services.undo_kiosk import AT_ONCE
from sync.control import ControlServer, socket_path
from tests.sync.central.box import Box
from tests.sync.central.centre import DAY
from tests.sync.central.online import Online

Said = tuple[int, str, str]
Command = Callable[..., Said]


@pytest.fixture
def box(online: Online) -> Box:
    return Box(online)


@pytest.fixture
def command(online: Online, capsys: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """Runs a command beside the service: its exit code, its output, and what it said beside that."""
    server = ControlServer(
        socket_path(online.centre.store.place.state), lambda uid: operations_for(online.centre.parts, uid)
    )
    server.start()

    def run(name: str, *words: str) -> Said:
        with pytest.raises(SystemExit) as ended:
            main([*name.split(), *online.centre.database.options, *words])
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    yield run
    server.stop()


def test_what_a_kiosk_did_is_listed_in_words_and_as_json(online: Online, box: Box, command: Command):
    patient_id = online.newcomer()
    box.push(patient_id, "scan_nfc")
    visit_id = online.centre.rows("select visit_id from visits where patient_id = :id", id=patient_id)[0]["visit_id"]
    box.push(patient_id, "register", journey_state="ARRIVED", visit_id=visit_id, base_version=1)
    arrived = {"journey_state": "REGISTERED", "visit_id": visit_id, "queue_number": f"{box.prefix}-001"}
    box.push(patient_id, "confirm_arrival", **arrived, base_version=2)
    box.push("nobody", "scan_nfc")
    code, text, _ = command("kiosks acts", box.kiosk_id)
    assert code == 0
    scan, _, confirm, *others = text.splitlines()
    for said in ("scan_nfc", patient_id, "UNREGISTERED→ARRIVED", "applied ok", "in_force", f"visit {visit_id}"):
        assert said in scan
    assert f"{box.prefix}-001 new→waiting" in confirm
    assert any("needs_staff quarantined" in line for line in others)
    assert any(" case " in line and line.endswith("not_named  open") for line in others)
    found = json.loads(command("kiosks acts", box.kiosk_id, "--json", "--since", DAY)[1])
    assert [act["kind"] for act in found["acts"]].count("action") == 4
    assert not found["more"]
    _, text, beside = command("kiosks acts", box.kiosk_id, "--limit", "1")
    assert beside == f"more follow: --after {text.split()[1]}\n"
    assert command("kiosks acts", "nobody")[::2] == (2, "kiosk-central: There is no such kiosk.\n")


def test_a_kiosk_is_taken_back_at_the_command_line_and_sockets_hear_of_it(online: Online, box: Box, command: Command):
    patients = [online.newcomer() for _ in range(AT_ONCE + 1)]
    for patient_id in patients:
        assert box.push(patient_id, "scan_nfc")["verdict"] == "applied"
    box.push("nobody", "scan_nfc")
    order = (box.kiosk_id, "--since", DAY, "--reason", "stolen", "--revoke")
    with online.socket(online.own_token(patients[0])) as socket:
        assert socket.until("initial_state")["payload"]["journey_state"] == "ARRIVED"
        code, text, beside = command("kiosks undo", *order, "--dry-run")
        assert (code, beside.splitlines()[-1]) == (0, "nothing was changed: this was a dry run")
        assert online.centre.state(patients[0])["journey_state"] == "ARRIVED"
        assert command("kiosks undo", *order)[1] == text
        assert socket.until("state_update")["payload"]["journey_state"] == "UNREGISTERED"
    assert f"{AT_ONCE + 1:>6}  patients put back\n" in text
    assert f"{1:>6}  cases discarded\n" in text
    assert "patients: " in beside, "it says how far it is"
    assert {online.centre.state(each)["journey_state"] for each in patients} == {"UNREGISTERED"}
    told = json.loads(command("kiosks undo", *order, "--json")[1])
    assert told == {"kiosk_id": box.kiosk_id, "changed": True, "acts_without_effect": 1}
    assert box.online.call("POST", "/api/v1/sync/pull", box.token, data=b"{}").status_code == 401
    assert command("kiosks list")[1].count("revoked") == 1


def test_an_order_without_a_use_says_so_in_one_line(online: Online, box: Box, command: Command):
    code, text, _ = command(
        "kiosks undo", box.kiosk_id, "--since", "2026-03-03", "--until", "2026-03-04", "--reason", "x"
    )
    assert (code, text) == (0, "there was nothing to do\n")
    assert command("kiosks undo", box.kiosk_id, "--since", "then", "--reason", "x")[::2] == (
        2,
        "kiosk-central: 'then' is no ISO 8601 date or time.\n",
    )
    assert command("kiosks undo", "nobody", "--since", DAY, "--reason", "x")[0] == 2
    assert command("kiosks undo", box.kiosk_id, "--since", DAY)[0] == 2


def test_a_case_of_acts_that_stayed_is_shown_act_by_act(online: Online, box: Box, command: Command):
    patient_id = online.newcomer()
    act = box.push(patient_id, "scan_nfc")
    assert online.act(online.own_token(patient_id), "register").ok
    assert "cases opened" in command("kiosks undo", box.kiosk_id, "--since", DAY, "--reason", "broken")[1]
    (line,) = [line for line in command("exceptions list")[1].splitlines() if patient_id in line]
    text = command("exceptions show", line.split()[0])[1]
    assert "  why: ['others_acted']\n  reason: broken\n" in text
    (shown,) = [line for line in text.splitlines() if line.startswith("act ")]
    for said in (act["action_id"], "UNREGISTERED→ARRIVED", f"visit {act['visit_id']}", "others_acted", DAY):
        assert said in shown


def test_cases_of_a_kiosk_are_counted_listed_and_discarded_at_once(online: Online, box: Box, command: Command):
    for _ in range(3):
        assert box.push(online.newcomer(), "scan_nfc", queue_number="<b>")["code"] == "quarantined"
    (line,) = [line for line in command("exceptions list")[1].splitlines() if box.kiosk_id in line]
    assert "3 times, last " in line
    exception_id = line.split()[0]
    assert "happened 3 times, last " in command("exceptions show", exception_id)[1]
    assert "3 times, last " in command("kiosks acts", box.kiosk_id)[1]
    order = ("--kiosk", box.kiosk_id, "--reason", "stolen")
    code, text, beside = command("exceptions discard", *order, "--dry-run")
    assert (code, text, beside) == (0, "     1  cases discarded\n", "nothing was changed: this was a dry run\n")
    assert command("exceptions discard", *order)[:2] == (0, text)
    assert box.kiosk_id not in command("exceptions list")[1]
    assert command("exceptions discard", *order)[1] == "there was nothing to do\n"
    assert f"  settled {DAY}" in command("kiosks acts", box.kiosk_id)[1]
    assert command("exceptions discard", "--kiosk", "nobody", "--reason", "x")[0] == 2
