"""Readers that nfcpy drives itself: a PN532 on a serial line or USB, a Sony RC-S380.

The sense loop is our own: one round takes some 20 ms, where `connect()` with its defaults takes up to half a second and
turns an I/O error into "no card".
"""

import contextlib
import errno
import logging
import termios
import time
from collections.abc import Callable, Sequence
from typing import Any

import nfc.clf
from nfc.clf import pn53x, transport

from hardware.backoff import Backoff
from hardware.card import Found, RefusedReason
from hardware.form import AdmittedForm
from hardware.nfcpy_card import find_card, keeps_id
from hardware.pn532_line import relieve
from hardware.pn532_speed import back_to_first_speed
from hardware.presence import GAP_NS, Presence
from hardware.reader import ReaderState
from hardware.wire import Report

# Every round looks for type A, every third round for the rarer types too: each type costs time on the line.
_ROUND = (nfc.clf.RemoteTarget("106A"),)
_WIDE_ROUND = (*_ROUND, nfc.clf.RemoteTarget("212F"), nfc.clf.RemoteTarget("106B"))
_WIDE_EVERY = 3
# The same in the words of the chip (InListPassiveTarget), for glances at an empty field. A type 1 tag answers only a
# whole round, so some are between them.
_QUESTIONS = ((0, b""),)
_WIDE_QUESTIONS = (*_QUESTIONS, (1, bytes.fromhex("00FFFF0100")), (3, b"\x00"))
_WHOLE_EVERY = 8
_WIDE_AFTER_ONE = 9
_REST_S = 0.04
# While nothing comes the looks may be rarer: a hand holds a card for longer than that.
_IDLE_REST_S = 0.1
# A card at the edge of the field answers few looks. So the first look is many in a row, or a second of them.
FIRST_LOOKS = 10
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
        self._report = report
        self._admitted = admitted
        self._backoff = Backoff(0.1, 1.0)
        self._frontend: Any = None
        self._closed = False
        self._presence = Presence(name, report)
        self._looked_ns = time.monotonic_ns()
        self._first_looks: int
        self._first_look_ns: int
        self._begin_first_look()
        self._in_trouble = False
        self._rounds = 0
        self._answer: bytes | None = None
        # nfcpy logs what it reads, card ids included.
        logging.getLogger("nfc").setLevel(logging.CRITICAL + 1)

    def step(self) -> None:
        """Looks once for a card, and reports it."""
        if self._closed:
            time.sleep(_REST_S)
            return
        try:
            self._look(self._opened())
        except _TROUBLE as error:
            self._in_trouble = True
            state, detail = _STATES.get(_error_number(error), _SILENT)
            self._report.state(state, detail.format(path=self._path))
            self._recover()
            self._report.heartbeat()
            time.sleep(self._backoff.next_s())
            return
        self._backoff.reset()
        if self._first_looks:
            return
        self._report.state(ReaderState.READY, self._path)
        time.sleep(_IDLE_REST_S if self._presence.is_clear else _REST_S)

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
            self._frontend = frontend = _open(self._path, self._report)
            chipset: Any = getattr(frontend.device, "chipset", None)
            relieve(chipset)
            if hasattr(chipset, "power_down"):
                chipset.power_down = _stay_awake
            if hasattr(chipset, "in_list_passive_target"):
                chipset.in_list_passive_target = self._listening(chipset.in_list_passive_target)
        return self._frontend

    def _recover(self) -> None:
        """After trouble, keeps a device that answers a question about itself, and lets go of any other."""
        try:
            with self._frontend.lock:
                self._frontend.device.chipset.get_firmware_version()
        except (*_TROUBLE, AttributeError):  # also where nothing is open, or the driver has no such question
            self._let_go()

    def _look(self, frontend: Any) -> None:
        self._answer = None
        target = self._sense(frontend)
        self._note_time()
        if target is not None:
            self._presence.see(str(target), lambda: self._read(frontend, target), keeps_id(target))
        elif self._answer is not None:
            self._presence.see(self._answer, _no_target)
        else:
            self._presence.see_nothing()
        self._first_looks = max(0, self._first_looks - 1)
        if time.monotonic_ns() - self._first_look_ns >= GAP_NS:
            self._first_looks = 0
        if not self._first_looks:
            self._presence.end_first_look()
        self._looked_ns = time.monotonic_ns()

    def _begin_first_look(self) -> None:
        self._first_looks = FIRST_LOOKS
        self._first_look_ns = time.monotonic_ns()

    def _note_time(self) -> None:
        """Counts the card of the last look as present until now, after a slow look or a pause of this process.

        After trouble with the device a card may have come or gone, so a first look begins.
        """
        if time.monotonic_ns() - self._looked_ns < GAP_NS:
            pass
        elif self._in_trouble:
            self._presence.lose_sight()
            self._begin_first_look()
        else:
            self._presence.see_same()
        self._in_trouble = False

    def _sense(self, frontend: Any) -> Any:
        """The target in the field, or None. A card may answer all the same, in a way that makes no target."""
        wide = self._rounds < 0 or self._rounds % _WIDE_EVERY == 0
        try:
            if self._presence.is_clear and self._rounds % _WHOLE_EVERY and self._glance(frontend, wide):
                self._rounds += 1
                return None
            target = frontend.sense(*(_WIDE_ROUND if wide else _ROUND), iterations=1)
        except Exception as error:
            if self._answer is None and isinstance(error, _TROUBLE):
                raise
            self._answer = self._answer or b""
            self._recover()
            return None
        # A card found in a wide round is looked for in wide rounds until it has left.
        self._rounds = -_WIDE_AFTER_ONE if target and target.brty != "106A" else self._rounds + 1
        return target

    def _glance(self, frontend: Any, wide: bool) -> bool:
        """Whether one question for each type says that no card is there. A round of nfcpy asks some more."""
        questions = _WIDE_QUESTIONS if wide else _QUESTIONS
        with frontend.lock:  # as nfcpy does, since `close` comes from another thread
            chipset: Any = getattr(frontend.device, "chipset", None)
            if not hasattr(chipset, "in_list_passive_target"):
                return False
            nothing = all(chipset.in_list_passive_target(1, *question) is None for question in questions)
            self._answer = None  # the round that follows is the one that counts
            if nothing:
                frontend.device.mute()
            return nothing

    def _read(self, frontend: Any, target: Any) -> Found:
        try:
            return find_card(frontend, target, self._report.driver_call, self._admitted)
        except Exception:
            self._recover()
            raise

    def _listening(self, in_list_passive_target: Callable[..., Any]) -> Callable[..., Any]:
        """Keeps what a card answered, since nfcpy drops an answer that it does not understand."""

        def listening(*arguments: Any) -> Any:
            answer = in_list_passive_target(*arguments)
            self._answer = self._answer if answer is None else bytes(answer)
            return answer

        return listening


def _no_target() -> RefusedReason:
    return RefusedReason.UNREADABLE


def _open(path: str, report: Report) -> Any:
    report.opening()
    try:
        return nfc.clf.ContactlessFrontend(path)
    except _TROUBLE:
        report.opening()
        # A killed process leaves the chip at the speed that the process chose.
        if not back_to_first_speed(path):
            raise
        return nfc.clf.ContactlessFrontend(path)


def _stay_awake(**_: object) -> None:
    """Replaces the command that nfcpy ends with: after it many chips answer only when plugged in again."""


def _error_number(error: BaseException) -> int:
    return error.args[0] if error.args and isinstance(error.args[0], int) else 0
