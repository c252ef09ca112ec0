"""Readers behind pcscd: every PC/SC reader, or those whose name holds a text.

One SCardGetStatusChange call waits for all readers and for the pseudo reader that reports plugging. Each call gets the
states of the call before. pyscard's CardMonitor does not fit: it never recovers when pcscd restarts. It also compares
cards by ATR alone, so it misses the second of two equal cards.
"""

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from smartcard import scard

from hardware.backoff import Backoff
from hardware.form import AdmittedForm
from hardware.pcsc_card import read_card
from hardware.pcsclite import MOST_READERS, PLUGGING, PcscLite, ReaderEvent, printable
from hardware.presence import GAP_NS, Presence, seconds_until
from hardware.reader import ReaderState
from hardware.wire import Report

# Short: before pcsc-lite 2.3, only a new listing finds a reader that was plugged in between two calls. And a process
# that says nothing for some seconds hangs.
WAIT_MS = 1_000
_POLL_S = 0.05
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
    """One reader: its last event state, its last ATR, the number of cards that came to it, and its first look's end."""

    looked_ns: int
    state: int = scard.SCARD_STATE_UNAWARE
    atr: bytes = b""
    cards: int = 0

    @property
    def has_looked(self) -> bool:
        """Whether the first look is over."""
        return self.state != scard.SCARD_STATE_UNAWARE and time.monotonic_ns() >= self.looked_ns


class PcscReader:
    """All PC/SC readers whose name holds `name`; every reader when it is None.

    Readers whose name holds a text of `leave` belong to earlier entries. One call to pcscd asks about `most` readers.
    """

    def __init__(
        self,
        name: str | None,
        report: Report,
        leave: Sequence[str] = (),
        wait_ms: int = WAIT_MS,
        most: int = MOST_READERS,
        admitted: Sequence[AdmittedForm] = (),
    ) -> None:
        self._name = name
        self._leave = leave
        self._most = most
        self._report = report
        self._wait_ms = wait_ms
        self._admitted = admitted
        self._backoff = Backoff(0.05, 1.0)
        self._refused = 0
        self._pcsclite = PcscLite()
        self._context: int | None = None
        self._slots: dict[bytes, _Slot] = {}
        self._presences: dict[bytes, Presence] = {}
        self._others: list[bytes] = []
        self._plugging = scard.SCARD_STATE_UNAWARE
        self._has_listed = False

    def step(self) -> None:
        """Waits up to a second for a card or a plug, and reports it."""
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
        for presence in self._presences.values():
            presence.see_same()
        for event in events:
            self._note(event)
        for name in list(self._presences):
            self._look(context, name)
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
        for presence in self._presences.values():
            presence.lose_sight()
        self._plugging = scard.SCARD_STATE_UNAWARE

    def _list(self, context: int) -> None:
        """Brings the slots in line with the readers that are attached."""
        result, names = self._pcsclite.list_readers(context)
        if result == scard.SCARD_E_NO_READERS_AVAILABLE:
            names = []
        else:
            _check(result)
        wanted = [name for name in names if self._is_wanted(printable(name))]
        self._others = [name for name in names if name not in wanted]
        for name in self._slots.keys() - wanted:
            self._presences[name].lose_sight()
        # A reader that has just got power, or a new pcscd, takes a moment to find the card that lies there.
        looked_ns = time.monotonic_ns() + GAP_NS * self._has_listed
        self._has_listed = True
        self._slots = {name: self._slots.get(name) or _Slot(looked_ns) for name in wanted}
        for name in wanted:
            self._presences.setdefault(name, Presence(printable(name), self._report))
        self._announce()

    def _is_wanted(self, name: str) -> bool:
        return (self._name is None or self._name in name) and not any(earlier in name for earlier in self._leave)

    def _announce(self) -> None:
        if not self._slots:
            self._report.state(ReaderState.ABSENT, self._nothing_attached())
        elif all(slot.has_looked for slot in self._slots.values()):
            self._report.state(ReaderState.READY, _listed(self._slots))

    def _nothing_attached(self) -> str:
        """Why there is no reader, for operators: the readers of other names, and those that another entry has."""
        if self._name is None:
            return "no reader is attached" + (
                f" but those of other entries: {_listed(self._others)}" * bool(self._others)
            )
        left = [name for name in self._others if self._name in printable(name)]
        if left:
            return f"an earlier entry has {_listed(left)}"
        return f"no reader named {self._name} is attached" + f"; there is {_listed(self._others)}" * bool(self._others)

    def _wait(self, context: int) -> list[ReaderEvent]:
        """The readers that changed, after a second at most.

        The call returns at once for a reader that it asks about for the first time. It takes sixteen readers, so where
        there are more, each part of them is asked again and again without a wait.
        """
        known = [(name, slot.state) for name, slot in self._slots.items()]
        if len(known) < self._most:
            return self._ask(context, self._patience_ms(), [*known, (PLUGGING, self._plugging)])
        if len(known) == self._most:
            return self._ask(context, self._patience_ms(), known)
        parts = [known[at : at + self._most] for at in range(0, len(known), self._most)]
        until_s = time.monotonic() + self._patience_ms() / 1000
        while True:
            if events := [event for part in parts for event in self._ask(context, 0, part)]:
                return events
            if time.monotonic() >= until_s:
                return []
            time.sleep(_POLL_S)

    def _ask(self, context: int, wait_ms: int, known: list[tuple[bytes, int]]) -> list[ReaderEvent]:
        result, events = self._pcsclite.wait(context, wait_ms, known)
        if result in _NOTHING_NEW:
            return []
        _check(result)
        if known[-1][0] == PLUGGING:
            # From pcsc-lite 2.3 on, the pseudo reader counts its events too. A call with an old count returns at once.
            self._plugging = events.pop().state & ~scard.SCARD_STATE_CHANGED
        return [event for event in events if event.state & scard.SCARD_STATE_CHANGED]

    def _patience_ms(self) -> int:
        """How long a wait may last: until something is due at a slot, such as the end of its second without a card."""
        now_ns = time.monotonic_ns()
        dues = [presence.due_ns for presence in self._presences.values()]
        dues += [slot.looked_ns for slot in self._slots.values() if not slot.has_looked]
        waits = [seconds_until(due_ns, now_ns, self._wait_ms / 1000) for due_ns in dues]
        return math.ceil(1000 * min(waits, default=self._wait_ms / 1000))

    def _note(self, event: ReaderEvent) -> None:
        slot = self._slots[event.name]
        before, slot.state, slot.atr = slot.state, event.state & _FED_BACK, event.atr
        if event.state & scard.SCARD_STATE_PRESENT:
            slot.cards += is_other_card(before, event.state)

    def _look(self, context: int, name: bytes) -> None:
        slot, presence = self._slots.get(name), self._presences[name]
        if slot and slot.state & scard.SCARD_STATE_PRESENT:
            presence.see(
                slot.cards,
                lambda: read_card(self._pcsclite, context, name, slot.atr, self._report.driver_call, self._admitted),
                has_name=False,
            )
        else:
            presence.see_nothing()
        if slot and slot.has_looked:
            presence.end_first_look()
        if not slot and presence.due_ns is None:
            del self._presences[name]


def is_other_card(before: int, state: int) -> bool:
    """Whether a card came: to an empty reader, or so soon after another card that only the event counter changed.

    INUSE and MUTE come and go while a card lies still.
    """
    return not before & scard.SCARD_STATE_PRESENT or (before & _COUNTER) != (state & _COUNTER)


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


def _listed(names: Iterable[bytes]) -> str:
    return ", ".join(printable(name) for name in names)
