"""One stand for each kind of reader, so that one suite can hold all of them to the same contract."""

from __future__ import annotations

import contextlib
from typing import Protocol

from hardware.gesture import Gesture
from hardware.reader import ReaderSpec
from hardware.supervisor import Readers
from tests.hardware.rigs.pn532 import EmulatedPn532, iso_dep, type_a
from tests.hardware.rigs.vpcd import NOT_FOUND, PHONE, Pcscd, VirtualCard, storage_card


class Stand(Protocol):
    """A reader and a hand that holds cards to it. Cards are given by their ids."""

    spec: ReaderSpec

    def put(self, uid: bytes) -> None: ...
    def lift(self) -> None: ...
    def unplug(self) -> None: ...
    def plug(self, lying: bytes | None = None) -> None: ...
    def close(self) -> None: ...


class PcscStand:
    """A slot of a shared pcscd. Unplugging it takes all readers from that pcscd."""

    def __init__(self, pcscd: Pcscd) -> None:
        self.spec = ReaderSpec("pcsc", name=pcscd.readers[0])
        self._pcscd = pcscd
        self._card: VirtualCard | None = None

    def put(self, uid: bytes) -> None:
        self.lift()
        self._card = self._pcscd.insert(storage_card(uid, PHONE) if uid[:1] == b"\x08" else storage_card(uid))

    def lift(self) -> None:
        if self._card:
            self._card.remove()
        self._card = None

    def unplug(self) -> None:
        self._pcscd.restart(plugged=False)

    def plug(self, lying: bytes | None = None) -> None:
        # A reader that has just got power finds the card that lies there a moment later, and so does the virtual one.
        self._pcscd.restart()
        if lying:
            self.put(lying)

    def close(self) -> None:
        self.lift()


class NfcpyStand:
    """An emulated PN532 on a serial line."""

    def __init__(self) -> None:
        self._chip = EmulatedPn532()
        self.spec = ReaderSpec("nfcpy", path=self._chip.path)

    def put(self, uid: bytes) -> None:
        phone = uid[:1] == b"\x08"
        self._chip.put(type_a(uid, 0x20, b"\x00\x04", iso_dep(lambda _: NOT_FOUND)) if phone else type_a(uid))

    def lift(self) -> None:
        self._chip.lift()

    def unplug(self) -> None:
        self._chip.unplug()

    def plug(self, lying: bytes | None = None) -> None:
        if lying:
            self.put(lying)
        self._chip.plug()

    def close(self) -> None:
        self._chip.close()


class SimulatedStand:
    """The simulated reader: gestures go through its `Readers`."""

    readers: Readers

    def __init__(self) -> None:
        self.spec = ReaderSpec("simulated", name="desk")

    def put(self, uid: bytes) -> None:
        self.readers.gesture(Gesture.PUT, uid)

    def lies(self, uid: bytes) -> None:
        """The hand has not let go since before the readers of now began."""
        self.readers.gesture(Gesture.LIES, uid)

    def lift(self) -> None:
        self.readers.gesture(Gesture.LIFT)

    def unplug(self) -> None:
        self.readers.gesture(Gesture.UNPLUG)

    def plug(self, lying: bytes | None = None) -> None:
        if lying:
            self.put(lying)
        self.readers.gesture(Gesture.PLUG)

    def close(self) -> None:
        with contextlib.suppress(AttributeError):
            del self.readers
