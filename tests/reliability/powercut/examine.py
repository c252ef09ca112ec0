"""Opens a store after a power cut by the real code, and compares it with the acknowledged steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.reliability.powercut.marks import History


class Found(Protocol):
    """A store after a power cut."""

    @property
    def is_blank(self) -> bool:
        """Whether the store is from before its first step."""
        ...

    def begin(self) -> None:
        """Makes the first step on a blank store."""
        ...

    def unsound(self) -> str:
        """A fault inside the store: damage, an action in part, a broken chain. An empty text where there is none."""
        ...

    def digest(self) -> str:
        """The digest of its content, as the recorded process computes it."""
        ...

    def actions(self) -> set[str]:
        """The ids of all actions in it."""
        ...

    def goes_on(self) -> str:
        """Does the next step in the store's life. Returns the fault, or an empty text."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a cut: the number of acknowledged steps that are lost, and any other fault."""

    cut: int
    lost: int = 0
    fault: str = ""


def examine(
    directory: Path, history: History, cut: int, opened: Callable[[Path], Found], refusal: type[Exception]
) -> Finding:
    """Opens the store in the directory, and looks for all acknowledged actions. `refusal` is the exception of
    `opened` where it cannot open the store."""
    try:
        found = opened(directory)
    except refusal as error:
        return Finding(cut, fault=f"the store does not open: {error}".replace(str(directory), "…"))
    try:
        return _examine(found, history, cut)
    finally:
        found.close()


def _examine(found: Found, history: History, cut: int) -> Finding:
    acknowledged = history.acknowledged(cut)
    if found.is_blank:
        found.begin()
        return Finding(cut, lost=acknowledged)
    reached = max((n for n in history.after.get(found.digest(), []) if n <= acknowledged + 1), default=None)
    if fault := found.unsound():
        return Finding(cut, fault=fault)
    if reached is None:
        if not history.in_doubt(acknowledged):
            return Finding(cut, fault="the store was never in this state")
        reached = acknowledged
    actions = found.actions()
    if any(action not in actions for step in history.steps[:reached] for action in step.actions):
        return Finding(cut, fault="an action is missing in a store that holds a later one")
    return Finding(cut, max(0, acknowledged - reached), found.goes_on())
