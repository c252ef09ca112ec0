"""Readers that nfcpy drives itself: a PN532 on a serial line or USB, a Sony RC-S380.

The sense loop is our own: one round takes some 20 ms, where `connect()` with its defaults takes up to half a second and
turns an I/O error into "no card".
"""

import contextlib
import errno
import logging
import termios
import time
from collections.abc import Sequence
from typing import Any

import nfc.clf
from nfc.clf import pn53x, transport

from hardware.backoff import Backoff
from hardware.card import Found
from hardware.debounce import Debounce
from hardware.form import AdmittedForm
from hardware.nfcpy_card import find_card, raw_id
from hardware.pn532_speed import back_to_first_speed
from hardware.reader import ReaderState
from hardware.wire import Report

# Every round looks for type A, every fourth round for the rarer types too: each type costs time on the line.
_ROUND = (nfc.clf.RemoteTarget("106A"),)
_WIDE_ROUND = (*_ROUND, nfc.clf.RemoteTarget("212F"), nfc.clf.RemoteTarget("106B"))
_WIDE_EVERY = 4
_WIDE_AFTER_ONE = 8
_REST_S = 0.04
# After an unplug pyserial raises termios.error, which is no OSError; a frame that was cut short, IndexError.
_TROUBLE = (OSError, termios.error, IndexError, pn53x.Chipset.Error, transport.libusb.USBError)
_SILENT = (ReaderState.FAULTY, "the reader at {path} does not answer")
_STATES = {
    errno.ENODEV: (ReaderState.ABSENT, "no reader answers at {path}"),
    errno.ENOENT: (ReaderState.ABSENT, "there is no {path}"),
    errno.EACCES: (ReaderState.FAULTY, "this user may not open {path}"),
    errno.EBUSY: (ReaderState.FAULTY, "another program has {path}"),
}


class NfcpyReader:
    """The reader at an nfcpy device path, such as "tty:S0:pn532", "usb:054c:06c1" or "udp"."""

    def __init__(self, path: str, name: str, report: Report, admitted: Sequence[AdmittedForm] = ()) -> None:
        self._path = path
        self._name = name
        self._report = report
        self._admitted = admitted
        self._backoff = Backoff(0.1, 2.0)
        self._frontend: Any = None
        self._closed = False
        self._debounce: Debounce[object] = Debounce()
        self._rounds = 0
        self._last: tuple[bytes, Found] | None = None
        # nfcpy logs what it reads, card ids included.
        logging.getLogger("nfc").setLevel(logging.CRITICAL + 1)

    def step(self) -> None:
        """Looks once for a card, and reports it."""
        if self._closed:
            time.sleep(_REST_S)
            return
        try:
            found = self._sense(self._opened())
        except _TROUBLE as error:
            self._let_go()
            state, detail = _STATES.get(_error_number(error), _SILENT)
            self._report.state(state, detail.format(path=self._path))
            time.sleep(self._backoff.next_s())
            return
        self._report.state(ReaderState.READY, self._path)
        self._backoff.reset()
        now_ns = time.monotonic_ns()
        if found is None:
            self._debounce.emptied(now_ns)
        elif self._debounce.arrived(found, now_ns):
            self._report.found(self._name, found, now_ns)
        time.sleep(_REST_S)

    def close(self) -> None:
        """Puts a serial PN532 back to the speed at which it is opened, and closes the device."""
        self._closed = True
        self._let_go()

    def _let_go(self) -> None:
        frontend, self._frontend = self._frontend, None
        if frontend is not None:
            with contextlib.suppress(*_TROUBLE, AttributeError):
                frontend.close()

    def _opened(self) -> Any:
        if self._frontend is None:
            self._frontend = _open(self._path)
        return self._frontend

    def _sense(self, frontend: Any) -> Found | None:
        wide = self._rounds < 0 or self._rounds % _WIDE_EVERY == 0
        target = frontend.sense(*(_WIDE_ROUND if wide else _ROUND), iterations=1)
        # A card found in a wide round is looked for in wide rounds until it has left.
        self._rounds = -_WIDE_AFTER_ONE if target and target.brty != "106A" else self._rounds + 1
        if target is None:
            self._last = None
            return None
        raw = raw_id(target)
        if self._last is None or self._last[0] != raw:
            self._last = raw, find_card(frontend, target, self._report.driver_call, self._admitted)
        return self._last[1]


def _open(path: str) -> Any:
    try:
        frontend = nfc.clf.ContactlessFrontend(path)
    except _TROUBLE:
        # A killed process leaves the chip at the speed that the process chose.
        if not back_to_first_speed(path):
            raise
        frontend = nfc.clf.ContactlessFrontend(path)
    chipset: Any = getattr(frontend.device, "chipset", None)
    if hasattr(chipset, "power_down"):
        chipset.power_down = _stay_awake
    return frontend


def _stay_awake(**_: object) -> None:
    """Replaces the command that nfcpy ends with: after it many chips answer only when plugged in again."""


def _error_number(error: BaseException) -> int:
    return error.args[0] if error.args and isinstance(error.args[0], int) else 0
