"""The interface between the web threads of the touch screen and the rest of the kiosk."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from kiosk.front.latest import LatestSlot
from kiosk.front.screen import Screen


@dataclass(frozen=True, slots=True)
class PressResult:
    """The result of a press. `error` and `code` are None where the action was accepted. `conflict`: the press names
    another person than the one on the screen. `screen` is the screen after the press."""

    screen: Screen
    action_id: str | None = None
    error: str | None = None
    code: str | None = None
    conflict: bool = False


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

    def act(
        self, action_type: str, patient_id: str, action_id: str | None, payload: dict[str, Any] | None = None
    ) -> PressResult:
        """Does an action for the patient on the screen, and returns after its commit.

        The page makes `action_id` (a UUID) at the press. A repeat with the same id changes nothing and has the same
        result. `payload` is the action's own data, such as the receipt of a payment.
        """
        ...

    def keep(self) -> Screen:
        """Gives the person more time: the time starts again, ten times at most. Returns the screen after it."""
        ...

    def leave(self) -> Screen:
        """Clears the screen, since the person is done. Returns the screen after it."""
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
