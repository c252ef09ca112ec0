"""Readers as the rest of the kiosk sees them: taps, refusals, states, and the interface of every reader."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol

from hardware.card import RefusedReason, UnknownForm
from hardware.form import AdmittedForm


class ReaderState(StrEnum):
    """Whether a reader would notice a card now."""

    STARTING = "starting"
    READY = "ready"
    DEGRADED = "degraded"  # takes cards, but could not read the last ones
    ABSENT = "absent"  # not plugged in
    FAULTY = "faulty"  # does not work although it is, or should be, plugged in


OUT_OF_ORDER = frozenset({ReaderState.ABSENT, ReaderState.FAULTY})


@dataclass(frozen=True, slots=True)
class Tap:
    """A usable card came to a reader. `at_mono_ns` is CLOCK_MONOTONIC, the same for all processes of this boot."""

    reader: str
    uid: bytes = field(repr=False)
    technology: str
    at_mono_ns: int


@dataclass(frozen=True, slots=True)
class RefusedTap:
    """A card that cannot be used came to a reader. The card's id is not kept. `form`: of an unknown form, for IT."""

    reader: str
    reason: RefusedReason
    form: UnknownForm | None = None


@dataclass(frozen=True, slots=True)
class FieldClear:
    """No card has been seen at this reader (or slot) for one second. One comes after each tap or refusal."""

    reader: str


Event = Tap | RefusedTap | FieldClear


@dataclass(frozen=True, slots=True)
class ReaderStatus:
    """One configured reader as operators see it. `detail` names its devices, or says what is wrong."""

    name: str
    kind: str
    state: ReaderState
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ReaderSpec:
    """One reader as configured.

    `name` for "pcsc": any part of the PC/SC reader's name, all readers when None. `path` for "nfcpy": its device path,
    such as "tty:S0:pn532", "usb:054c:06c1" or "udp". `leave` for "pcsc": names whose readers belong to other entries.
    `admitted`: the further forms of cards that IT admits.
    """

    kind: Literal["pcsc", "nfcpy", "simulated"]
    name: str | None = None
    path: str | None = None
    leave: tuple[str, ...] = ()
    admitted: tuple[AdmittedForm, ...] = ()

    @property
    def label(self) -> str:
        """What people call this reader."""
        return self.name or self.path or {"pcsc": "PC/SC", "nfcpy": "nfcpy", "simulated": "simulated"}[self.kind]


class Reader(Protocol):
    """A reader as its own process drives it. It writes what it finds to the `Report` of its constructor."""

    def step(self) -> None:
        """Waits a few seconds at most for something to happen, and reports it.

        Trouble with the device is reported as a state, and the next step tries again. The step never returns when a
        driver call hangs: only the end of the process helps then.
        """
        ...

    def close(self) -> None:
        """Leaves the device in a state that the next process can open. Called from another thread than `step`."""
        ...
