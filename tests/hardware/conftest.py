"""The rigs as fixtures, and readers whose taps and states are recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import pytest

from hardware.health import Timeouts
from hardware.reader import (
    OUT_OF_ORDER,
    Event,
    FieldClear,
    ReaderSpec,
    ReaderState,
    ReaderStatus,
    RefusedReason,
    RefusedTap,
    Tap,
)
from hardware.supervisor import Readers
from tests.components import demand_pcscd, demand_root_for_devices
from tests.hardware.rigs.pn532 import EmulatedPn532
from tests.hardware.rigs.processes import processes_of
from tests.hardware.rigs.until import until
from tests.hardware.rigs.vpcd import Pcscd

# A busy machine may stop a process for a second. Only the tests of a card that hangs have a shorter timeout.
QUICK = Timeouts(first_wait_s=0.01, most_wait_s=0.1)
SHORT_DRIVER_CALL = replace(QUICK, driver_call_s=0.5)


@dataclass
class Log:
    """The events and statuses of the readers, in their order."""

    events: list[Event] = field(default_factory=list)
    taps: list[Tap | RefusedTap] = field(default_factory=list)
    statuses: list[tuple[ReaderStatus, ...]] = field(default_factory=list)

    def note(self, event: Event) -> None:
        """Notes an event; taps and refusals stand in a list of their own too."""
        self.events.append(event)
        if not isinstance(event, FieldClear):
            self.taps.append(event)

    @property
    def clears(self) -> int:
        """How often a field became clear."""
        return len(self.events) - len(self.taps)

    def forget(self) -> None:
        """Forgets all taps and events so far."""
        self.taps.clear()
        self.events.clear()

    def cards(self, reader: str | None = None) -> list[bytes | RefusedReason]:
        """The taps of one reader or of all, each as its id or as the reason of its refusal."""
        taps = [tap for tap in self.taps if reader in {None, tap.reader}]
        return [tap.uid if isinstance(tap, Tap) else tap.reason for tap in taps]

    def wait_for(self, count: int, what: str = "a tap") -> None:
        """Waits for this number of taps."""
        until(lambda: len(self.taps) >= count, what)

    def wait_for_clear(self, count: int = 1) -> None:
        """Waits until a field became clear this often."""
        until(lambda: self.clears >= count, "a clear field")


def wait_for_state(readers: Readers, *wanted: ReaderState) -> None:
    """Waits until the readers are in these states."""
    until(lambda: tuple(status.state for status in readers.status()) == wanted, f"{wanted}")


def wait_for_trouble(readers: Readers) -> None:
    """Waits until the first reader is out of order."""
    until(lambda: readers.status()[0].state in OUT_OF_ORDER, "trouble")


def wait_for_another(spec: ReaderSpec, before: int) -> None:
    """Waits until another process than the one before drives the reader."""
    until(lambda: processes_of(spec) not in ([], [before]), "a new process")


StartReaders = Callable[..., Readers]


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def start(log: Log) -> Iterator[StartReaders]:
    """A function that starts readers and returns when they are ready. They are stopped at the end."""
    started = []

    def start_readers(*specs: ReaderSpec, timeouts: Timeouts = QUICK, ready: bool = True) -> Readers:
        readers = Readers(specs, log.note, log.statuses.append, timeouts)
        started.append(readers)
        readers.start()
        if ready:
            wait_for_state(readers, *[ReaderState.READY] * len(specs))
        return readers

    yield start_readers
    for readers in started:
        readers.stop(5.0)


@pytest.fixture(scope="session")
def running_pcscd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pcscd]:
    demand_pcscd()
    with Pcscd(tmp_path_factory.mktemp("pcscd")) as pcscd:
        yield pcscd


@pytest.fixture
def pcscd(running_pcscd: Pcscd, monkeypatch: pytest.MonkeyPatch) -> Pcscd:
    """A real pcscd with two virtual slots, for the processes that this test starts."""
    if not running_pcscd.is_running:  # an earlier test failed half-way
        running_pcscd.restart()
    for name, value in running_pcscd.environment.items():
        monkeypatch.setenv(name, value)
    return running_pcscd


@pytest.fixture
def chip() -> Iterator[EmulatedPn532]:
    demand_root_for_devices()
    with EmulatedPn532() as emulated:
        yield emulated
