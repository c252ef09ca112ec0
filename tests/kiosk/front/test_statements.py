"""A tap and a press ask the database little: the statements of each, with BEGIN and COMMIT, are counted.

What was read stays known until somebody writes, so a press repeats no question of the tap before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kiosk.front.screen import Screen, ScreenKind
from sync.protocol import Code, Verdict
from tests.kiosk import samples
from tests.kiosk.reception_rig import ReceptionRig

MOST = 8


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[ReceptionRig]:
    made = ReceptionRig(tmp_path)
    yield made
    made.store.close()


def counted(rig: ReceptionRig, act: Callable[[], object]) -> list[str]:
    """The statements of an act."""
    asked: list[str] = []
    with rig.store.read() as db:
        db.set_trace_callback(asked.append)
    act()
    with rig.store.read() as db:
        db.set_trace_callback(None)
    return asked


def test_a_tap_and_a_press_are_at_most_eight_statements(rig: ReceptionRig):
    shown: list[Screen] = []

    def keep(screen: Screen) -> None:
        shown.append(screen)

    acts: dict[str, Callable[[], object]] = {
        "first scan": lambda: keep(rig.tap(samples.uid(1))),
        "register": lambda: keep(rig.press(shown[-1])),
        "confirm": lambda: keep(rig.press(shown[-1])),
        "repeated tap": lambda: keep(rig.tap(samples.uid(1))),
        "unknown card": lambda: keep(rig.tap(samples.uid(99))),
        "check-in of an unknown card": lambda: keep(rig.press(shown[-1])),
    }
    asked = {name: counted(rig, act) for name, act in acts.items()}
    assert [screen.screen for screen in shown[-3:]] == [
        ScreenKind.JOURNEY,
        ScreenKind.UNKNOWN_CARD,
        ScreenKind.JOURNEY,
    ]
    assert rig.parts.pending() == 4
    writes = {name for name, statements in asked.items() if "commit" in statements}
    assert writes == {"first scan", "register", "confirm", "check-in of an unknown card"}
    assert {name: "\n".join(each) for name, each in asked.items() if len(each) > MOST} == {}


def test_what_another_thread_has_written_is_read_again(rig: ReceptionRig):
    waiting = rig.press(rig.press(rig.tap(samples.uid(1))))
    rig.judge(Verdict.APPLIED, Code.OK)
    rig.pull(samples.row(1, masked_name="김*수"))
    after = rig.reception.screen()
    assert after.patient is not None
    assert (waiting.confirmed, after.confirmed, after.patient.masked_name) == (False, True, "김*수")
