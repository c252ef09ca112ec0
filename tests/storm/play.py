"""Plays a story on a stage, and looks after each step whether the screen tells the truth."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import singledispatchmethod
from pathlib import Path
from typing import Any

from playwright.sync_api import Error as BrowserError

from tests.storm import kiosk_rows
from tests.storm.books import Books
from tests.storm.ends import disagreements
from tests.storm.hand import Hand
from tests.storm.sentences import Look, untruths
from tests.storm.stage import Cast, Stage
from tests.storm.story import (
    Ambush,
    Cut,
    Enter,
    Finger,
    Heal,
    Hold,
    Kill,
    Pair,
    Pause,
    Reload,
    Staff,
    Step,
    TwoFingers,
)

SETTLED_S = 3.0  # a sentence that is untrue for longer than this is untrue


@dataclass
class Played:
    """A story that was played: its steps in words, and the faults that it showed."""

    seed: int
    steps: Sequence[Step]
    log: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def play(stage: Stage, seed: int, steps: Sequence[Step]) -> Played:
    """Plays these steps with new people. The seed chooses the places of the fingers too."""
    player = _Player(stage, seed)
    played = Played(seed, steps)
    for step in steps:
        done = player.do(step)
        played.log.append(f"{step}{'' if done else '  (nothing to do)'}")
        played.faults += [f"{fault}, after {step}" for fault in player.untruths()]
    played.faults += player.end()
    played.log += [f"{note['t'] - player.began:8.0f} {_told(note)}" for note in player.notes]
    return played


class _Player:
    """One story under way."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self._stage = stage
        self._cast: Cast = stage.next_cast()
        self._hand = Hand(stage.page, stage.cdp, random.Random(seed))
        self._database: Path = stage.town.places.directory / "kiosk.db"
        self._before = {row.action_id for row in kiosk_rows.rows(self._database)}
        self._told: set[str] = set()
        self.began = time.time() * 1000

    @property
    def notes(self) -> list[dict[str, Any]]:
        return sorted(self._stage.notes, key=lambda note: note["t"])

    @singledispatchmethod
    def do(self, step: Step) -> bool:
        """Does a step. Returns False where the step had nothing to do."""
        raise NotImplementedError(step)

    @do.register
    def _(self, step: Hold) -> bool:
        self._stage.hold(self._cast.person(step.card), waits=step.waits)
        return True

    @do.register
    def _(self, step: Pair) -> bool:
        self._stage.hold_together(self._cast.person(step.card), self._cast.person(step.other))
        return True

    @do.register
    def _(self, step: Finger) -> bool:
        return self._hand.tap(step)

    @do.register
    def _(self, step: Ambush) -> bool:
        person = self._cast.person(step.card)
        self._stage.await_holds()
        return self._hand.ambush(step.finger, lambda: self._stage.hold(person, waits=False), step.when)

    @do.register
    def _(self, step: TwoFingers) -> bool:
        return self._hand.two(step)

    @do.register
    def _(self, step: Enter) -> bool:
        return self._hand.enter(step)

    @do.register
    def _(self, step: Staff) -> bool:
        return self._stage.staff(step.act, self._cast.person(step.card), step.state)

    @do.register
    def _(self, step: Cut) -> bool:
        self._stage.cut(noticed=step.noticed)
        return True

    @do.register
    def _(self, step: Heal) -> bool:
        self._stage.heal(settles=step.settles)
        return True

    @do.register
    def _(self, step: Kill) -> bool:
        self._stage.await_holds()
        if step.after:
            self._hand.tap(step.after)
        self._stage.kill()
        return True

    @do.register
    def _(self, _: Reload) -> bool:
        self._stage.reload()
        return True

    @do.register
    def _(self, step: Pause) -> bool:
        self._stage.page.wait_for_timeout(step.ms)
        return True

    def untruths(self) -> list[str]:
        """The sentences on the screen that the state contradicts, for longer than news may take. Each is told once."""
        end = time.monotonic() + SETTLED_S
        while True:
            look = self._look()
            found = [fault for fault in untruths(look) if fault not in self._told] if look is not None else []
            if (look is not None and not found) or time.monotonic() > end:
                self._told.update(found)
                return found
            self._stage.page.wait_for_timeout(50)

    def end(self) -> list[str]:
        """Lets everything come to rest, and holds the books against both ends."""
        stage = self._stage
        stage.await_holds()
        stage.heal(settles=True)
        found = self.untruths()
        rows = [row for row in kiosk_rows.rows(self._database) if row.action_id not in self._before]
        px_per_mm = float(stage.page.evaluate("storm.mm()"))
        found += Books(self.notes, rows, px_per_mm).faults()
        found += disagreements(stage.town, self._cast, rows, self._database)
        return found

    def _look(self) -> Look | None:
        """What the screen shows, and what the kiosk knows at that moment; None where one of them just changes."""
        stage = self._stage
        try:
            shown, screen = stage.glass(), stage.ask()
        except BrowserError:
            return None
        if screen is None or "frame" not in screen or shown["frame"] != screen["frame"]:
            return None
        patient_id = (screen["patient"] or {}).get("patient_id")
        known = kiosk_rows.view(self._database, patient_id) if patient_id else None
        again = stage.ask()
        later = kiosk_rows.view(self._database, patient_id) if patient_id else None
        if again is None or again["frame"] != screen["frame"] or not kiosk_rows.same(known, later):
            return None
        return Look(shown, screen, known, self._names_held())

    def _names_held(self) -> frozenset[str]:
        """The names that may be on the screen: of the last card, or of the cards that came too close to each other."""
        holds = [note for note in self.notes if note["kind"] == "hold"]
        names: list[str] = []
        for hold in reversed(holds):
            names.append(hold["name"])
            if hold["ended"].is_set() and not hold["close"]:
                break
        return frozenset(names)


def _told(note: dict[str, Any]) -> str:
    return " ".join(
        f"{name}={value}" for name, value in note.items() if name not in {"t", "ended"} and value is not None
    )
