"""What is found after a power cut, opened by the real code and held against what was acknowledged before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.reliability.powercut.marks import History


class Found(Protocol):
    """A store as it is found: opened, looked at, and used again."""

    @property
    def is_blank(self) -> bool:
        """Whether it is from before its first step."""
        ...

    def begin(self) -> None:
        """Makes the first step, if it is blank."""
        ...

    def unsound(self) -> str:
        """What is wrong with it by itself: damage, half an action, a broken chain. Empty where nothing is."""
        ...

    def digest(self) -> str:
        """What it holds, as the recorded process told it."""
        ...

    def actions(self) -> set[str]:
        """The ids of all actions in it."""
        ...

    def goes_on(self) -> str:
        """Does what comes next in its life, and looks again: empty, or what is wrong."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of a cut. `lost`: steps that had been acknowledged and left no trace. `fault`: empty, or what is
    wrong beside that."""

    cut: int
    lost: int = 0
    fault: str = ""


def examine(
    directory: Path, told: History, cut: int, opened: Callable[[Path], Found], refusal: type[Exception]
) -> Finding:
    """Opens what was found in the directory, and looks for everything that must be there. `refusal` is what `opened`
    raises where it cannot."""
    try:
        found = opened(directory)
    except refusal as error:
        return Finding(cut, fault=f"the store does not open: {error}".replace(str(directory), "…"))
    try:
        return _examined(found, told, cut)
    finally:
        found.close()


def _examined(found: Found, told: History, cut: int) -> Finding:
    acknowledged = told.acknowledged(cut)
    if found.is_blank:
        found.begin()
        return Finding(cut, lost=acknowledged)
    reached = max((n for n in told.after.get(found.digest(), []) if n <= acknowledged + 1), default=None)
    if fault := found.unsound():
        return Finding(cut, fault=fault)
    if reached is None:
        if not told.in_doubt(acknowledged):
            return Finding(cut, fault="the store never was in this state")
        reached = acknowledged
    there = found.actions()
    if any(action not in there for step in told.steps[:reached] for action in step.actions):
        return Finding(cut, fault="an action is gone from a store that holds what came after it")
    return Finding(cut, max(0, acknowledged - reached), found.goes_on())
