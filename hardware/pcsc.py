"""Readers behind pcscd: every PC/SC reader, or those whose name holds a text.

One SCardGetStatusChange call waits for all readers and for the pseudo reader that reports plugging. Each call gets the
states of the call before. pyscard's CardMonitor does not fit: it never recovers when pcscd restarts. It also compares
cards by ATR alone, so it misses the second of two equal cards.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from smartcard import scard

from hardware.backoff import Backoff
from hardware.debounce import Debounce
from hardware.form import AdmittedForm
from hardware.pcsc_card import read_card
from hardware.reader import ReaderState
from hardware.wire import Report

# Short: before pcsc-lite 2.3, only a new listing finds a reader that was plugged in between two calls.
WAIT_MS = 2_000
_PLUGGING = "\\\\?PnP?\\Notification"
_COUNTER = 0xFFFF0000
# The part of a state that the next call gets back: the card and the counter, without the absence of the reader.
_FED_BACK = _COUNTER | scard.SCARD_STATE_EMPTY | scard.SCARD_STATE_PRESENT | scard.SCARD_STATE_INUSE
_FED_BACK |= scard.SCARD_STATE_MUTE | scard.SCARD_STATE_EXCLUSIVE | scard.SCARD_STATE_UNPOWERED
_NOTHING_NEW = {scard.SCARD_E_TIMEOUT, scard.SCARD_E_UNKNOWN_READER, scard.SCARD_E_READER_UNAVAILABLE}
_REFUSALS = {scard.SCARD_W_SECURITY_VIOLATION, scard.SCARD_E_NO_ACCESS}


class PcscError(Exception):
    """A call to pcscd failed, and the context cannot be used again."""

    def __init__(self, code: int) -> None:
        super().__init__(f"PC/SC error {code:#010x}")
        self.code = code


@dataclass(slots=True)
class _Slot:
    """One reader: its last event state, and the cards seen last."""

    state: int = scard.SCARD_STATE_UNAWARE
    debounce: Debounce[object] = field(default_factory=Debounce)


class PcscReader:
    """All PC/SC readers whose name holds `name`; every reader when it is None."""

    def __init__(
        self, name: str | None, report: Report, wait_ms: int = WAIT_MS, admitted: Sequence[AdmittedForm] = ()
    ) -> None:
        self._name = name
        self._report = report
        self._wait_ms = wait_ms
        self._admitted = admitted
        self._backoff = Backoff(0.05, 1.0)
        self._refused = 0
        self._context: int | None = None
        self._slots: dict[str, _Slot] = {}
        self._others: list[str] = []
        self._plugging = scard.SCARD_STATE_UNAWARE

    def step(self) -> None:
        """Waits up to two seconds for a card or a plug, and reports it."""
        try:
            context = self._established()
            self._list(context)
            events = self._wait(context)
        except PcscError as error:
            self._release()
            self._refused = self._refused + 1 if error.code in _REFUSALS else 0
            self._report.state(ReaderState.FAULTY, describe_refusals(self._refused))
            time.sleep(self._backoff.next_s())
            return
        self._backoff.reset()
        self._refused = 0
        for name, state, atr in events:
            self._examine(context, name, state, bytes(atr))
        self._announce()

    def close(self) -> None:
        """Does nothing: pcscd frees the resources of a process that ends."""

    def _established(self) -> int:
        if self._context is None:
            result, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
            _check(result)
            self._context = context
        return self._context

    def _release(self) -> None:
        if self._context is not None:
            scard.SCardReleaseContext(self._context)
        self._context = None
        self._slots = {}
        self._plugging = scard.SCARD_STATE_UNAWARE

    def _list(self, context: int) -> None:
        """Brings the slots in line with the readers that are attached."""
        result, names = scard.SCardListReaders(context, [])
        if result == scard.SCARD_E_NO_READERS_AVAILABLE:
            names = []
        else:
            _check(result)
        wanted = [name for name in names if self._name is None or self._name in name]
        self._others = [name for name in names if name not in wanted]
        self._slots = {name: self._slots.get(name) or _Slot() for name in wanted}
        self._announce()

    def _announce(self) -> None:
        if not self._slots:
            self._report.state(ReaderState.ABSENT, _nothing_attached(self._name, self._others))
        elif all(slot.state != scard.SCARD_STATE_UNAWARE for slot in self._slots.values()):
            self._report.state(ReaderState.READY, ", ".join(self._slots))

    def _wait(self, context: int) -> list[tuple[str, int, list[int]]]:
        """The readers that changed, as name, event state and ATR, after two seconds at most.

        The call returns at once for a reader that it asks about for the first time.
        """
        known = [(name, slot.state) for name, slot in self._slots.items()]
        result, states = scard.SCardGetStatusChange(context, self._wait_ms, [*known, (_PLUGGING, self._plugging)])
        if result in _NOTHING_NEW:
            return []
        _check(result)
        # From pcsc-lite 2.3 on, the pseudo reader counts its events too. A call with an old count returns at once.
        self._plugging = states.pop()[1] & ~scard.SCARD_STATE_CHANGED
        return [event for event in states if event[1] & scard.SCARD_STATE_CHANGED]

    def _examine(self, context: int, name: str, state: int, atr: bytes) -> None:
        now_ns = time.monotonic_ns()
        slot = self._slots[name]
        before, slot.state = slot.state, state & _FED_BACK
        if not state & scard.SCARD_STATE_PRESENT:
            slot.debounce.emptied(now_ns)
        elif is_tap(before, state):
            found = read_card(context, name, atr, self._report.driver_call, self._admitted)
            if slot.debounce.arrived(found, now_ns):
                self._report.found(name, found, now_ns)


def is_tap(before: int, state: int) -> bool:
    """Whether a card came: to an empty reader, or so soon after another card that only the event counter changed.

    A card that already lies on a reader at the first look is no tap: nobody looks at the screen then. A card that made
    the process hang would make it hang again. INUSE and MUTE come and go while a card lies still.
    """
    if before == scard.SCARD_STATE_UNAWARE:
        return False
    return bool(before & scard.SCARD_STATE_EMPTY) or (before & _COUNTER) != (state & _COUNTER)


def describe_refusals(refused: int) -> str:
    """Trouble with pcscd in a sentence for operators, after it refused this process so many times in a row.

    One or two refusals may be the end of a pcscd: the library cannot tell a closed connection from a refusal.
    """
    if refused > 2:
        return "pcscd refuses this user; on newer systems polkit has to allow it"
    return "the smart card service pcscd does not answer"


def _check(result: int) -> None:
    if result != scard.SCARD_S_SUCCESS:
        raise PcscError(result)


def _nothing_attached(name: str | None, others: list[str]) -> str:
    if name is None:
        return "no reader is attached"
    return f"no reader named {name} is attached" + (f"; there is {', '.join(others)}" if others else "")
