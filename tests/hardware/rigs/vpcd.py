"""A real pcscd with virtual readers, and the cards for them.

The pcscd is our own: it listens on a socket of its own, which PC/SC clients find by an environment variable, so it
disturbs no other pcscd on this machine, nor the readers of one.

    with Pcscd(directory) as pcscd:
        os.environ.update(pcscd.environment)
        with pcscd.insert(storage_card(uid)):
            ...

Seeing the virtual driver's cards without delay needs root (pcscd's own directory in /run) and gcc.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

DRIVER = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so"
PCSCD = "/usr/sbin/pcscd"
SEEN_S = 30.0  # pcscd polls every 10 ms, unless it has ended
_UNASSIGNED_PORTS = range(20_000, 32_768, 2)  # the kernel gives those above to any connection, also between two starts

MIFARE_CLASSIC_1K = bytes.fromhex("3B8F8001804F0CA000000306030001000000006A")
NTAG = bytes.fromhex("3B8F8001804F0CA0000003060300030000000068")
FELICA = bytes.fromhex("3B8F8001804F0CA00000030611003B0000000042")
DESFIRE = bytes.fromhex("3B8180018080")
PHONE = bytes.fromhex("3B80800101")
TYPE_B = bytes.fromhex("3B8880010000000033818100") + b"\x3a"

GET_UID = bytes.fromhex("FFCA000000")
NOT_FOUND = b"\x6a\x82"

# pcscd gets a listening socket in systemd's way: as file 3, to the process of this id. It ends (SIGTERM) with the
# thread that started it, so that a killed test run leaves no pcscd behind.
_HAND_OVER = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 15)
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LD_PRELOAD=os.environ.pop("QUICK_POLL"))
os.execv(sys.argv[2], [sys.argv[2], "--foreground", "--config", sys.argv[3]])
"""

Answers = Callable[[bytes], "bytes | None"]


@dataclass(frozen=True)
class CardFace:
    """A card before it is inserted: its ATR, and its answer to each command. None hangs the reader."""

    atr: bytes
    answers: Answers


def card_with(atr: bytes, answers: Mapping[bytes, bytes]) -> CardFace:
    """A card with a table of answers; to any other command it answers "not found"."""
    return CardFace(atr, lambda command: answers.get(command, NOT_FOUND))


def storage_card(uid: bytes, atr: bytes = NTAG) -> CardFace:
    """A card that answers with its id and nothing else."""
    return card_with(atr, {GET_UID: uid + b"\x90\x00"})


def hanging_card(atr: bytes = NTAG) -> CardFace:
    """A card that never answers a command: its sender waits for ever."""
    return CardFace(atr, lambda _: None)


class VirtualCard:
    """A card in a virtual reader, from the constructor until `remove`.

    The protocol of vpcd is two bytes of length, then the data.
    """

    def __init__(self, port: int, face: CardFace) -> None:
        self._face = face
        self._stream = connect_to(port)
        self._stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._noticed = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="virtual card", daemon=True)
        self._thread.start()

    def remove(self) -> None:
        """Takes the card out of the reader, and waits until pcscd has noticed it.

        Before that, pcscd takes another card for the same one. This also ends a card that hangs.
        """
        with contextlib.suppress(OSError):
            self._stream.shutdown(socket.SHUT_WR)
            self._thread.join(SEEN_S)
            self._stream.settimeout(SEEN_S)
            while self._stream.recv(4096):
                pass
        self._stream.close()

    def wait_until_noticed(self) -> None:
        """Waits until pcscd has asked the card for its ATR."""
        assert self._noticed.wait(30.0)

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
                    self._noticed.set()
                elif len(command) > 1 and (answer := self._face.answers(command)) is not None:
                    self._write(answer)  # a command of one byte switches the card off or on, or resets it

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


def connect_to(port: int) -> socket.socket:
    """A connection to a virtual slot. A pcscd that has just started may not listen yet."""
    until_s = time.monotonic() + SEEN_S
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            if time.monotonic() > until_s:
                raise
            time.sleep(0.005)


@dataclass
class Pcscd:
    """A pcscd in the foreground. Each name is a virtual device with two slots, "NAME 00 00" and "NAME 00 01".

    Names are written as UTF-8, and lone surrogates as the bytes that they stand for (PEP 383).
    """

    directory: Path
    names: tuple[str, ...] = ("Virtual PCD",)
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _ports: dict[str, int] = field(default_factory=dict, init=False)

    @property
    def socket_path(self) -> Path:
        """The socket of this pcscd."""
        return self.directory / "pcscd.comm"

    @property
    def _conf(self) -> Path:
        return self.directory / "reader.conf"

    @property
    def environment(self) -> dict[str, str]:
        """The environment with which a PC/SC client finds this pcscd and no other."""
        return {"PCSCLITE_CSOCK_NAME": str(self.socket_path)}

    @property
    def readers(self) -> list[str]:
        """The PC/SC names of the slots."""
        return [f"{name} {index:02d} {slot:02d}" for index, name in enumerate(self.names) for slot in (0, 1)]

    @property
    def is_running(self) -> bool:
        """Whether pcscd was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self, plugged: bool = True) -> None:
        """Starts it and waits until clients can connect. With `plugged` false it has no reader."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._configure(self.names if plugged else ())
        self.socket_path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.socket_path))
            listener.listen(16)
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _HAND_OVER, str(listener.fileno()), PCSCD, str(self._conf)],
                pass_fds=[listener.fileno()],
                env=os.environ | {"QUICK_POLL": str(self._quick_poll())},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            # The socket is closed here, so that it dies with pcscd.

    def stop(self) -> None:
        """Ends it and waits for its end. A pcscd that hangs in a card is killed."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def restart(self, plugged: bool = True) -> None:
        """Restarts it, as an upgrade does. The virtual driver cannot be unplugged in any other way."""
        self.stop()
        self.start(plugged)

    @contextlib.contextmanager
    def hung(self) -> Iterator[None]:
        """For the time of the block it takes calls and answers none."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)
        yield
        self._process.send_signal(signal.SIGCONT)

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
        self._conf.write_text("\n".join(entries) or "# no reader\n", "utf-8", "surrogateescape")

    def _quick_poll(self) -> Path:
        library = self.directory / "quick_poll.so"
        if not library.exists():
            source = Path(__file__).with_name("quick_poll.c")
            subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", library, source], check=True)
        return library


def free_port_pairs() -> Iterator[int]:
    """Ports that are free, as is the next one above each."""
    while True:
        port = secrets.choice(_UNASSIGNED_PORTS)
        with socket.socket() as first, socket.socket() as second, contextlib.suppress(OSError):
            first.bind(("127.0.0.1", port))
            second.bind(("127.0.0.1", port + 1))
            yield port
