"""The notes of a story as values: presses of fingers and keys, what the page sent, and the screens that it heard of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import hypot
from typing import Any

Note = dict[str, Any]


@dataclass(frozen=True)
class Press:
    """A finger or a key that went down, with what was under it at that moment. Times are UTC ms.

    `dead`: the button took no press. `shown_ms`: the time for which this person and step had been on the glass.
    `up_t` is None where the finger did not come up before the end of the page. `on`: it came up on the element on which
    it went down.
    """

    number: int
    t: float
    is_key: bool
    name: str | None
    dead: bool
    busy: bool
    patient: str | None
    stay: str | None
    offer: str | None
    shown_ms: float
    place: tuple[float, float] = (0.0, 0.0)
    up_t: float | None = None
    cancelled: bool = False
    on: bool = True
    moved_px: float = 0.0
    repeat: bool = False

    def __str__(self) -> str:
        dead = "dead" if self.dead else "live"
        what = "key" if self.is_key else "finger"
        return f"{what} {self.number} on {self.name} ({dead}, of {self.patient}, shown {self.shown_ms:.0f} ms)"


@dataclass(frozen=True)
class Sent:
    """A command that the page sent, the first of its repeats."""

    t: float
    command: str
    action_id: str | None
    action_type: str | None
    patient: str | None
    offer: str | None
    stay: str | None


def presses(notes: Iterable[Note]) -> list[Press]:
    """Every press, in order."""
    made: list[Press] = []
    down: dict[Any, int] = {}
    for note in notes:
        if note["kind"] in {"opened", "reload"}:
            down.clear()
        elif note["kind"] == "down":
            down[note["finger"]] = len(made)
            made.append(_press(len(made), note))
        elif note["kind"] in {"up", "cancel"} and note["finger"] in down:
            number = down.pop(note["finger"])
            made[number] = _lifted(made[number], note)
    return made


def commands(notes: Iterable[Note]) -> list[Sent]:
    """Every command; of an action only the first, since a repeat has the same id."""
    found: list[Sent] = []
    known: set[str] = set()
    for note in notes:
        if note["kind"] != "sent" or note["action_id"] in known:
            continue
        if note["action_id"]:
            known.add(note["action_id"])
        fields = ("t", "command", "action_id", "action_type", "patient", "offer", "stay")
        found.append(Sent(**{name: note[name] for name in fields}))
    return found


def _press(number: int, note: Note) -> Press:
    is_key = note["finger"] == "key"
    return Press(
        number,
        note["t"],
        is_key,
        note["name"],
        bool(note["dead"]),
        bool(note["busy"]),
        note["patient"],
        note["stay"],
        note["offer"],
        note["shownMs"],
        (note.get("x", 0.0), note.get("y", 0.0)),
        up_t=note["t"] if is_key else None,
        repeat=bool(note.get("repeat")),
    )


def _lifted(press: Press, note: Note) -> Press:
    moved_px = hypot(note["x"] - press.place[0], note["y"] - press.place[1])
    return replace(press, up_t=note["t"], cancelled=note["kind"] == "cancel", on=bool(note["on"]), moved_px=moved_px)
