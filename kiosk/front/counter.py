"""What the touch screen asks of the daemon: the one door between the web threads and the rest of the kiosk."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from kiosk.front.latest import LatestSlot
from kiosk.front.screen import Screen


@dataclass(frozen=True, slots=True)
class PressResult:
    """What became of a pressed button. `error` and `code` are None where it was accepted; `conflict` says that the
    person it was meant for is not the one on the screen. `screen` is what is shown now, in every case."""

    screen: Screen
    action_id: str | None = None
    error: str | None = None
    code: str | None = None
    conflict: bool = False


@dataclass(frozen=True, slots=True)
class DemoCard:
    """A card of the demo hospital that the simulated reader can be handed. The label is no real person's."""

    uid: str
    label: str


class Counter(Protocol):
    """The kiosk as its screen sees it. Every method may be called from any thread."""

    def screen(self) -> Screen:
        """What is shown now."""
        ...

    def act(self, action_type: str, patient_id: str, action_id: str | None) -> PressResult:
        """Does an action for the patient on the screen and returns after its commit. A repeat with the same
        `action_id` (a UUID, made by the page at the press) does nothing again and gets the same answer."""
        ...

    def keep(self) -> Screen:
        """The person wants to keep using the screen: its time starts afresh, ten times at most."""
        ...

    def leave(self) -> Screen:
        """The person is done: back to `attract` at once."""
        ...

    def subscribe(self) -> AbstractContextManager[LatestSlot[Screen]]:
        """Screens as they change, newest wins."""
        ...

    def demo_cards(self) -> tuple[DemoCard, ...]:
        """The cards of the simulated reader; empty where none is configured."""
        ...

    def present(self, uid: str) -> str | None:
        """Holds a card (hex UID) to the simulated reader; returns after the commit. An error message, or None."""
        ...

    def faults(self) -> tuple[str, ...]:
        """What keeps the kiosk from taking taps, in English for `GET /healthz`; empty when all is well."""
        ...
