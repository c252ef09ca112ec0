"""A PN532 on a pseudo-terminal: enough of the chip for nfcpy's real driver, and faults on command.

It is linked into /dev, since nfcpy looks there for serial lines; that takes root. Like the real chip it receives
only at its own speed, and keeps a raised speed until it gets another or loses power.

    with EmulatedPn532() as chip:
        reader = ReaderSpec("nfcpy", path=chip.path)
        chip.put(type_a(bytes.fromhex("04AABBCCDDEEFF")))
"""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import termios
import threading
import time
import tty
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

_FIRST = -20  # of nice(2)
_ACK = bytes.fromhex("0000FF00FF00")
_SPEEDS = [
    termios.B9600,
    termios.B19200,
    termios.B38400,
    termios.B57600,
    termios.B115200,
    termios.B230400,
    termios.B460800,
    termios.B921600,
]
_FIRST_SPEED = termios.B115200
_NO_ANSWER = b"\x01"  # error code of the chip: the card has not answered in time

Exchange = Callable[[bytes], "bytes | None"]


@dataclass(frozen=True)
class Target:
    """A card in the field: its answer to a poll, as the chip passes it on, and its answer to each block."""

    modulation: int
    found: bytes
    blocks: Exchange = field(default=lambda _: None)


def type_a(uid: bytes, sak: int = 0x00, atqa: bytes = b"\x00\x44", blocks: Exchange = lambda _: None) -> Target:
    """A type A card. With `sak` 0x20 it is a card of ISO 14443-4 and needs `blocks`."""
    return Target(0, atqa + bytes([sak, len(uid)]) + uid, blocks)


def type_b(pupi: bytes, protocol: bytes = bytes.fromhex("338181"), blocks: Exchange = lambda _: None) -> Target:
    """A type B card."""
    atqb = b"\x50" + pupi + bytes(4) + protocol

    def answer(block: bytes) -> bytes | None:
        if block[:1] == b"\x05":  # WUPB
            return atqb
        return block[:1] if block[:1] == b"\xca" else blocks(block)  # DESELECT is echoed

    return Target(3, atqb + b"\x01\x00", answer)


def type_1(uid: bytes) -> Target:
    """A type 1 tag (Topaz): it has no anticollision, and answers RID with four bytes of its id."""
    return Target(4, b"\x0c\x00" + uid[:4], lambda block: b"\x11\x48" + uid[:4] if block[:1] == b"\x78" else None)


def felica(idm: bytes) -> Target:
    """A FeliCa card."""
    return Target(1, b"\x12\x01" + idm + bytes(8))


def iso_dep(commands: Callable[[bytes], bytes | None], ats: bytes = bytes.fromhex("0578807002")) -> Exchange:
    """The blocks of ISO 14443-4 for a card that answers these commands; None is silence."""

    def answer(block: bytes) -> bytes | None:
        if block[0] == 0xE0:  # RATS
            return ats
        if block[0] == 0x1D:  # ATTRIB
            return b"\x00"
        if block[0] & 0xE2 != 0x02:  # no I-block
            return None
        answer = commands(block[1:])
        return None if answer is None else block[:1] + answer

    return answer


class EmulatedPn532:
    """The chip, from the constructor until `close`. Its faults are attributes, which may be set at any time."""

    def __init__(self) -> None:
        self.name = f"kiosktest{secrets.token_hex(4)}"
        self.locked_up = False  # accepts everything, answers nothing
        self.delay_s = 0.0  # before each answer
        self.cut_to: int | None = None  # sends only this many bytes of each answer
        self.deaf = False  # answers questions about itself, and no look for a card
        self.damaged = 0  # so many of the next answers come with a wrong checksum
        self.looks = 0  # how often it has looked for a card
        self.powered_down = False
        self._target: Target | None = None
        self._guard = threading.Lock()
        self._plugged_in = False
        self.plug()

    @property
    def path(self) -> str:
        """The path of the chip for nfcpy."""
        return f"tty:{self.name}:pn532"

    def put(self, target: Target) -> None:
        """Holds a card to it in place of an earlier one."""
        self._target = target

    def lift(self) -> None:
        """Takes the card away."""
        self._target = None

    def plug(self) -> None:
        """Gives the chip power and a line. The chip starts from its first state."""
        self.power_cycle()
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        os.chmod(os.ttyname(self._slave), 0o600)
        Path(f"/dev/{self.name}").symlink_to(os.ttyname(self._slave))
        self._plugged_in = True
        self._thread = threading.Thread(target=self._serve, args=(self._master,), name="PN532", daemon=True)
        self._thread.start()

    def unplug(self) -> None:
        """Removes the chip from its line, as pulling the cable of a USB adapter does."""
        if not self._plugged_in:
            return
        Path(f"/dev/{self.name}").unlink()
        with self._guard:
            self._plugged_in = False
            os.close(self._master)
            os.close(self._slave)
        self._thread.join()

    def power_cycle(self) -> None:
        """Switches the chip off and on, on the same line."""
        self.speed = self._next_speed = _FIRST_SPEED
        self.locked_up = self.powered_down = False

    def close(self) -> None:
        """Unplugs the chip at the end."""
        self.unplug()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- the line ---------------------------------------------------------------------------------------------------

    def _serve(self, line: int) -> None:
        # The driver waits 0.1 s for the chip. A real one is late for no other process of the machine.
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _FIRST)
        received = b""
        while True:
            with contextlib.suppress(OSError, ValueError):  # it may be unplugged at any moment
                select.select([line], [], [], 0.05)
            with self._guard:
                if not self._plugged_in:
                    return
                try:
                    chunk = os.read(line, 4096)
                except OSError:  # no data after all, or no program has the line open
                    continue
                if self.locked_up or self.powered_down or not self._understands(line):
                    received = b""
                    continue
            received = self._receive(line, received + chunk)

    def _understands(self, line: int) -> bool:
        """Whether the last bytes were sent at the chip's speed, by the present speed of the line.

        The driver reopens the line right after the acknowledgement that changes the speed, and a pseudo-terminal
        forgets unread bytes then. So the first bytes at the new speed count as that acknowledgement.
        """
        sent_at = termios.tcgetattr(line)[4]
        if sent_at == self._next_speed:
            self._acknowledged()
        return sent_at == self.speed

    def _receive(self, line: int, received: bytes) -> bytes:
        """Carries out all whole frames, and returns the rest."""
        while (start := received.find(b"\x00\x00\xff")) >= 0:
            frame = received[start:]
            if frame.startswith(_ACK):
                self._acknowledged()
                received = frame[len(_ACK) :]
                continue
            extended = frame[3:5] == b"\xff\xff"
            head = 8 if extended else 5
            size = int.from_bytes(frame[5:7], "big") if extended else int.from_bytes(frame[3:4], "big")
            if len(frame) < head + size + 2:
                return frame
            self._obey(line, frame[head : head + size])
            received = frame[head + size + 2 :]
        return received[-2:]

    def _acknowledged(self) -> None:
        self.speed = self._next_speed

    def _obey(self, line: int, data: bytes) -> None:
        code, arguments = data[1], data[2:]
        answer = bytes([0xD5, code + 1]) + self._carry_out(code, arguments)
        if self.delay_s:
            time.sleep(self.delay_s)
        if len(answer) < 256:
            head = b"\x00\x00\xff" + bytes([len(answer), -len(answer) & 0xFF])
        else:
            size = len(answer).to_bytes(2, "big")
            head = b"\x00\x00\xff\xff\xff" + size + bytes([-sum(size) & 0xFF])
        wrong, self.damaged = min(self.damaged, 1), max(self.damaged - 1, 0)
        frame = head + answer + bytes([(wrong - sum(answer)) & 0xFF, 0])
        if code == 0x4A:
            self.looks += 1
            frame = frame[: 0 if self.deaf else None]
        with self._guard, contextlib.suppress(OSError):
            if self._plugged_in:
                os.write(line, _ACK + frame[: self.cut_to])

    # ---- the chip ---------------------------------------------------------------------------------------------------

    def _carry_out(self, code: int, arguments: bytes) -> bytes:
        match code:
            case 0x00:  # Diagnose: the line test returns its input
                return arguments
            case 0x02:  # GetFirmwareVersion
                return bytes.fromhex("32010607")
            case 0x06:  # ReadRegister: one byte for each address; 26 is an unanswered look for type A
                type_1_answered = self._target is not None and self._target.modulation == 4
                return bytes([0x00 if type_1_answered else 0x26]) * (len(arguments) // 2)
            case 0x10:  # SetSerialBaudRate, once the answer is acknowledged
                self._next_speed = _SPEEDS[arguments[0]]
                return b""
            case 0x16:  # PowerDown
                self.powered_down = True
                return b"\x00"
            case 0x4A:  # InListPassiveTarget
                target = self._target
                there = target is not None and target.modulation == arguments[1]
                return b"\x01\x01" + target.found if target and there else b"\x00"
            case 0x40 | 0x42:  # InDataExchange, whose first byte is the target's number, and InCommunicateThru
                answer = self._target.blocks(arguments[code == 0x40 :]) if self._target else None
                return _NO_ANSWER if answer is None else b"\x00" + answer
        return b""
