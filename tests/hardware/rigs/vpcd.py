"""A real pcscd with virtual readers, and the cards for them.

The pcscd is our own: it listens on a socket of its own, which PC/SC clients find by an environment variable, so neither
another pcscd on this machine nor its readers are touched.

    with Pcscd(directory) as pcscd:
        os.environ.update(pcscd.environment)
        with pcscd.insert(storage_card(uid)):
            ...

To see the virtual driver's cards without delay takes root (pcscd's own directory in /run) and gcc.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

DRIVER = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so"
PCSCD = "/usr/sbin/pcscd"

MIFARE_CLASSIC_1K = bytes.fromhex("3B8F8001804F0CA000000306030001000000006A")
NTAG = bytes.fromhex("3B8F8001804F0CA0000003060300030000000068")
FELICA = bytes.fromhex("3B8F8001804F0CA00000030611003B0000000042")
DESFIRE = bytes.fromhex("3B8180018080")
PHONE = bytes.fromhex("3B80800101")
TYPE_B = bytes.fromhex("3B8880010000000033818100") + b"\x3a"

GET_UID = bytes.fromhex("FFCA000000")
NOT_FOUND = b"\x6a\x82"

Answers = Callable[[bytes], bytes]


@dataclass(frozen=True)
class CardFace:
    """A card before it is inserted: its ATR, and its answer to each command."""

    atr: bytes
    answers: Answers


def card_with(atr: bytes, answers: Mapping[bytes, bytes]) -> CardFace:
    """A card with a table of answers; to anything else it says that it has no such thing."""
    return CardFace(atr, lambda command: answers.get(command, NOT_FOUND))


def storage_card(uid: bytes, atr: bytes = NTAG) -> CardFace:
    """A card that has nothing but its id."""
    return card_with(atr, {GET_UID: uid + b"\x90\x00"})


class VirtualCard:
    """A card in a virtual reader from its making until `remove`. Speaks vpcd's protocol: two bytes of length, data."""

    def __init__(self, port: int, face: CardFace) -> None:
        self._face = face
        self._stream = socket.create_connection(("127.0.0.1", port))
        self._stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._thread = threading.Thread(target=self._serve, name="virtual card", daemon=True)
        self._thread.start()

    def remove(self) -> None:
        """Takes the card out of the reader. A card that hangs is let go by that."""
        with contextlib.suppress(OSError):
            self._stream.shutdown(socket.SHUT_RDWR)
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def _serve(self) -> None:
        with contextlib.suppress(OSError, EOFError):
            while True:
                command = self._read(int.from_bytes(self._read(2), "big"))
                if command == b"\x04":
                    self._write(self._face.atr)
                elif len(command) > 1:  # one byte switches the card off, on, or resets it
                    self._write(self._face.answers(command))

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            chunk = self._stream.recv(size - len(data))
            # Without it each command waits 40 ms for an acknowledgement.
            self._stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            if not chunk:
                raise EOFError
            data += chunk
        return data

    def _write(self, data: bytes) -> None:
        self._stream.sendall(len(data).to_bytes(2, "big") + data)


@dataclass
class Pcscd:
    """A pcscd in the foreground. Each name is a virtual device with two slots, "NAME 00 00" and "NAME 00 01"."""

    directory: Path
    names: tuple[str, ...] = ("Virtual PCD",)
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _ports: dict[str, int] = field(default_factory=dict, init=False)

    @property
    def socket_path(self) -> Path:
        """Where it listens."""
        return self.directory / "pcscd.comm"

    @property
    def environment(self) -> dict[str, str]:
        """What the environment of a PC/SC client must hold to find this pcscd and no other."""
        return {"PCSCLITE_CSOCK_NAME": str(self.socket_path)}

    @property
    def readers(self) -> list[str]:
        """The PC/SC names of its slots."""
        return [f"{name} {index:02d} {slot:02d}" for index, name in enumerate(self.names) for slot in (0, 1)]

    def start(self, plugged: bool = True) -> None:
        """Starts it, and returns when clients can connect. With `plugged` false it has no reader yet."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._configure(self.names if plugged else ())
        self.socket_path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.socket_path))
            listener.listen(16)
            # The way systemd hands a socket over. It is closed here, so that it dies with pcscd.
            self._process = subprocess.Popen(
                [
                    "/bin/sh",
                    "-c",
                    f'LISTEN_PID=$$ LISTEN_FDS=1 exec {PCSCD} --foreground --config "$1" 3<&{listener.fileno()}',
                    "sh",
                    str(self.directory / "reader.conf"),
                ],
                pass_fds=[listener.fileno()],
                env=os.environ | {"LD_PRELOAD": str(self._quick_poll())},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )

    def plug(self) -> None:
        """Attaches the readers to a pcscd that was started without."""
        assert self._process
        self._configure(self.names)
        self._process.send_signal(10)  # SIGUSR1: read the configuration again

    def stop(self) -> None:
        """Ends it, and waits until it is gone. One that a card holds fast is killed."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def restart(self) -> None:
        """What an upgrade, or an administrator, does."""
        self.stop()
        self.start()

    def insert(self, face: CardFace, slot: int = 0) -> VirtualCard:
        """Puts a card into a slot, counted over all devices."""
        port = self._ports[self.names[slot // 2]] + slot % 2
        return VirtualCard(port, face)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _configure(self, names: tuple[str, ...]) -> None:
        ports = free_port_pairs()
        for name in self.names:
            self._ports.setdefault(name, next(ports))
        entries = [
            f'FRIENDLYNAME "{name}"\nDEVICENAME /dev/null:0x{self._ports[name]:04X}\nLIBPATH {DRIVER}\n'
            f"CHANNELID 0x{self._ports[name]:04X}\n"
            for name in names
        ]
        (self.directory / "reader.conf").write_text("\n".join(entries) or "# no reader\n", "utf-8")

    def _quick_poll(self) -> Path:
        library = self.directory / "quick_poll.so"
        if not library.exists():
            source = Path(__file__).with_name("quick_poll.c")
            subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", library, source], check=True)
        return library


def free_port_pairs() -> Iterator[int]:
    """Ports that are free together with the one above them."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            with contextlib.suppress(OSError, OverflowError):
                second.bind(("127.0.0.1", port + 1))
                yield port
