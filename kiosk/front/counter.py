"""The interface between the web threads of the touch screen and the rest of the kiosk."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from kiosk.front.latest import LatestSlot
from kiosk.front.offer import Press
from kiosk.front.screen import Screen


@dataclass(frozen=True, slots=True)
class PressResult:
    """The result of a press. `error` and `code` are None where the action was accepted.

    `code` is a `Misplaced` where the press was not for what is on the screen. `screen` is the screen after the press.
    """

    screen: Screen
    action_id: str | None = None
    error: str | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class DemoCard:
    """A card of the demo hospital for the simulated reader: its id, and an invented person as the label.

    The id is a text as `sync.cards.read_uid` takes it.
    """

    uid: str
    label: str


class Counter(Protocol):
    """The kiosk as its touch screen sees it. Every method may be called from any thread."""

    def screen(self) -> Screen:
        """Returns the screen of this moment."""
        ...

    def act(self, press: Press) -> PressResult:
        """Does the offered action for the patient on the screen, and returns after its commit.

        The page makes the action id (a UUID) at the press. A repeat of the press changes nothing and has the same
        result. An action that needs a proof has no button and no offer: a payment terminal reports it.
        """
        ...

    def keep(self, stay: str) -> Screen:
        """Gives the person of a stay more time: the time starts again, ten times at most. Returns the screen after it.

        Where another person stands there by now, this and the following methods change nothing.
        """
        ...

    def leave(self, stay: str) -> Screen:
        """Clears the screen, since the person of a stay is done. Returns the screen after it."""
        ...

    def touch(self, stay: str) -> Screen:
        """Notes that the person of a stay has touched the glass. Returns the screen after it, with its data shown."""
        ...

    def set_pace(self, stay: str, slow: bool) -> Screen:
        """Gives the person of a stay three times as much time for everything, or the usual time."""
        ...

    def subscribe(self) -> AbstractContextManager[LatestSlot[Screen]]:
        """Subscribes to the screens as they change; a subscriber gets the newest."""
        ...

    def demo_cards(self) -> tuple[DemoCard, ...]:
        """Returns the cards of the simulated reader; empty where none is configured."""
        ...

    def present(self, uid: str) -> str | None:
        """Holds a card (by its id) to the simulated reader, and returns after the commit: an error message, or None."""
        ...

    def faults(self) -> tuple[str, ...]:
        """Returns the faults that keep the kiosk from accepting taps, in English; empty without one."""
        ...
