"""The books of the storm: each fault that they must find, staged, and a story without a fault."""

from __future__ import annotations

from typing import Any

import pytest

from tests.storm.books import Books
from tests.storm.kiosk_rows import Row
from tests.storm.notes import Note

ANNA, BORA = "P1", "P2"


def screen(t: float, patient: str | None, kind: str = "journey", **more: Any) -> Note:
    said = {"screen": kind, "patient": patient, "stay": patient and f"stay-{patient}", "offer": None, **more}
    return {"kind": "screen", "t": t, "keeps": 10, "remaining": 60.0, **said}


def down(t: float, patient: str | None = ANNA, name: str = "next", **more: Any) -> Note:
    under = {"name": name, "dead": False, "busy": False, "patient": patient, "stay": patient and f"stay-{patient}"}
    return {"kind": "down", "t": t, "finger": 1, "x": 5, "y": 5, "offer": "o1", "shownMs": 900.0, **under, **more}


def up(t: float, **more: Any) -> Note:
    return {"kind": "up", "t": t, "finger": 1, "x": 5, "y": 5, "on": True, **more}


def sent(t: float, patient: str | None = ANNA, command: str = "perform_action", **more: Any) -> Note:
    acts = command == "perform_action"
    said = {"action_id": "a1" if acts else None, "action_type": "register" if acts else None, "offer": "o1"}
    return {"kind": "sent", "t": t, "command": command, "patient": patient, "stay": None, **said, **more}


def answer(t: float, *, ok: bool = True, action_id: str = "a1") -> Note:
    return {"kind": "answer", "t": t, "action_id": action_id, "ok": ok, "code": None}


def hold(t: float, patient: str) -> Note:
    return {"kind": "hold", "t": t, "patient": patient, "name": ""}


def row(action_id: str = "a1", action_type: str = "register", patient: str = ANNA, at_ms: int = 1_200) -> Row:
    return Row(action_id, action_type, patient, patient, "applied", "ok", "", at_ms)


PRESSED = [screen(0, ANNA), down(1_000), up(1_100), sent(1_101), answer(1_120)]


def test_a_calm_press_has_no_fault():
    notes = [hold(0, ANNA), *PRESSED]
    assert Books(notes, [row("a0", "scan_nfc", at_ms=10), row()]).faults() == []


@pytest.mark.parametrize(
    ("notes", "fault"),
    [
        ([down(1_000, shownMs=200.0), up(1_100), sent(1_101)], "no press that was meant for it"),
        ([down(1_000), up(1_100), sent(1_101, BORA)], "no press that was meant for it"),
        ([down(1_000, dead=True), up(1_100), sent(1_101)], "no press that was meant for it"),
        ([down(1_000, name="home"), up(1_100), sent(1_101)], "no press that was meant for it"),
        ([down(1_000, offer="o0"), up(1_100), sent(1_101)], "no press that was meant for it"),
        ([*PRESSED, sent(1_140, action_id="a2")], "no press that was meant for it"),
        ([sent(1_101)], "no finger was down"),
    ],
    ids=["too soon", "another person", "dead", "another button", "another offer", "twice of one finger", "no finger"],
)
def test_an_action_that_no_press_was_meant_for_is_a_fault(notes: list[Note], fault: str):
    rows = [row(note["action_id"], patient=note["patient"]) for note in notes if note["kind"] == "sent"]
    (found,) = [each for each in Books(notes, rows).faults() if "no press" in each]
    assert fault in found


def test_an_action_of_the_kiosk_that_nobody_pressed_is_a_fault():
    assert Books([], [row()]).faults() == ["register of P1 has neither a press nor a card"]


def test_a_tap_of_a_card_that_was_not_held_is_a_fault():
    scanned = row("a0", "scan_nfc", at_ms=500)
    assert Books([hold(400, ANNA)], [scanned]).faults() == []
    for notes in ([hold(400, BORA)], [hold(700, ANNA)]):
        assert Books(notes, [scanned]).faults() == ["scan_nfc of P1 has neither a press nor a card"]


@pytest.mark.parametrize("slide_px", [0, 30])
def test_a_press_that_is_never_sent_is_lost(slide_px: int):
    (fault,) = Books([screen(0, ANNA), down(1_000), up(1_100, x=5 + slide_px)], []).faults()
    assert fault.endswith("was lost")


@pytest.mark.parametrize(
    "notes",
    [
        [down(1_000, dead=True), up(1_100)],
        [down(1_000), up(1_100, x=80)],
        [down(1_000), up(1_100, on=False)],
        [down(1_000), screen(1_050, BORA), up(1_100)],
        [down(1_000), down(1_020, finger=2, name="home"), up(1_100), up(1_110, finger=2)],
        [down(1_000), {"kind": "kill", "t": 1_050}, up(1_100)],
    ],
    ids=["dead", "a long slide", "off the button", "another person came", "two fingers", "the daemon died"],
)
def test_a_press_that_need_not_count_is_no_fault(notes: list[Note]):
    assert Books(notes, []).faults() == []


def test_an_acknowledged_action_that_is_not_there_is_a_fault():
    assert Books(PRESSED, []).faults() == ["the action a1 was acknowledged and is not there"]


def test_a_button_that_stays_dead_is_a_fault():
    (fault,) = Books([down(1_000, dead=True, shownMs=2_000.0), up(1_100)], []).faults()
    assert fault.endswith("the button is dead for too long")


LEFT = sent(1_101, None, "leave", stay="stay-P1", offer=None)


def test_a_person_who_leaves_clears_the_screen():
    notes = [screen(0, ANNA), down(1_000, name="home"), up(1_100), LEFT, screen(1_150, None, "attract")]
    assert Books(notes, []).faults() == []


def test_a_screen_that_an_earlier_persons_leave_has_cleared_is_a_fault():
    notes = [down(1_000, name="home"), up(1_100), screen(1_100, BORA), LEFT, screen(1_150, None, "attract")]
    assert Books(notes, []).faults() == ["the screen of P2 was cleared, and nobody of theirs has left"]


def test_a_leave_of_no_finger_is_a_fault():
    assert Books([LEFT], []).faults() == ["leave of the stay stay-P1 is of no finger on that button"]


def test_a_screen_whose_time_is_up_may_clear():
    notes = [screen(0, ANNA, remaining=1.0), screen(1_000, None, "attract")]
    assert Books(notes, []).faults() == []
