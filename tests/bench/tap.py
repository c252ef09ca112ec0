"""From the moment a UID is known to the greeting, and to the committed tap, on a connected screen's socket.

A tap acts when its card has been alone for `SETTLE_S`. That time is no work, and is left out: the reception's clock
is moved on. The bare path is the indispensable part: the hand-over from one thread to another, one durable transaction
on the same kind of store, and a write to a socket. Both are measured in the same run, by turns, on the same disk.
"""

from __future__ import annotations

import queue
import socket
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

from kiosk.config import DisplaySection
from kiosk.front.reception import Reception
from kiosk.front.visitor import SETTLE_S
from kiosk.ui.app import create_app
from kiosk.ui.server import PageServer
from tests.bench.figures import Figure, ms, percentile
from tests.kiosk import samples
from tests.kiosk.ui.admitted import ADMISSION, cookie_of

TAPS = 1000
WARM_UP = 50


def measure(directory: Path) -> list[Figure]:
    """p50 and p99 of both, and their ratio."""
    kiosk, bare = _Kiosk(directory / "kiosk"), _Bare(directory / "bare")
    greetings, taps, bares = [], [], []
    for number in range(TAPS + WARM_UP):
        bares.append(bare.once())
        greeted, acted = kiosk.once(number)
        greetings.append(greeted)
        taps.append(greeted + acted)
    kiosk.close()
    bare.close()
    greetings, taps, bares = greetings[WARM_UP:], taps[WARM_UP:], bares[WARM_UP:]
    p99, bare_p99 = percentile(taps, 0.99), percentile(bares, 0.99)
    return [
        Figure("tap → greeting, p50", ms(percentile(greetings, 0.5))),
        Figure("tap → greeting, p99", ms(percentile(greetings, 0.99))),
        Figure("tap → committed screen, p50", ms(percentile(taps, 0.5))),
        Figure("tap → committed screen, p99", ms(p99)),
        Figure("bare path, p50", ms(percentile(bares, 0.5))),
        Figure("bare path, p99", ms(bare_p99)),
        Figure("tap / bare, p99", f"{p99 / bare_p99:.2f}", "≤ 2"),
        Figure("tap / bare, p50", f"{percentile(taps, 0.5) / percentile(bares, 0.5):.2f}"),
    ]


class _Kiosk:
    """The real reception, store, page server and socket. The calling thread is the reader's."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True)
        rows = [samples.row(number) for number in range(TAPS + WARM_UP)]
        parts = samples.enrolled(directory, samples.Clock(), *rows)
        self._store = parts.store
        self._ahead_s = 0.0
        self._reception = Reception(
            parts.journeys,
            samples.KEYS.hashes,
            lambda: ("scan_nfc",),
            lambda: None,
            monotonic=lambda: time.monotonic() + self._ahead_s,
        )
        self._page = PageServer(create_app(self._reception, DisplaySection(), ADMISSION), "127.0.0.1", 0)
        self._page.start()
        self._screen = _Screen(self._page.port)
        self._screen.receive()
        self._reader = _Thread(self._reception.tap)
        self._clockwork = _Thread(lambda _: self._reception.tick())

    def once(self, number: int) -> tuple[float, float]:
        """Seconds to the greeting, and from the moment at which the tap acts to the screen after its commit."""
        begin = time.perf_counter()
        self._reader.hand(samples.uid(number))
        self._screen.receive()
        greeted = time.perf_counter() - begin
        self._ahead_s += SETTLE_S
        begin = time.perf_counter()
        self._clockwork.hand(b"")
        self._screen.receive()
        acted = time.perf_counter() - begin
        self._reception.clear_field("")
        return greeted, acted

    def close(self) -> None:
        self._reader.close()
        self._clockwork.close()
        self._screen.close()
        self._page.stop()
        self._reception.stop()
        self._store.close()


class _Screen:
    """A connected screen's socket, read as bytes like that of the bare path, without the work of a client library."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self._socket.sendall(
            f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Cookie: {cookie_of(port)['Cookie']}\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self._stream = self._socket.makefile("rb")
        while self._stream.readline().strip():
            pass

    def receive(self) -> bytes:
        """The next frame's payload (RFC 6455, 5.2; the server's are not masked)."""
        length = self._stream.read(2)[1]
        if length > 125:
            length = int.from_bytes(self._stream.read(2 if length == 126 else 8), "big")
        return self._stream.read(length)

    def close(self) -> None:
        self._stream.close()
        self._socket.close()


class _Bare:
    """A thread that commits three rows of the size of a tap's, and writes two kilobytes to a socket."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True)
        self._db = sqlite3.connect(directory / "bare.db", check_same_thread=False, isolation_level=None)
        for pragma in ("journal_mode=wal", "synchronous=full"):
            self._db.execute(f"pragma {pragma}")
        for table in ("patients", "outbox", "audit"):
            self._db.execute(f"create table {table} (id integer primary key, body text)")
        self._near, self._far = socket.socketpair()
        self._writer = _Thread(self._commit)

    def once(self) -> float:
        begin = time.perf_counter()
        self._writer.hand(b"")
        left = 2048
        while left:
            left -= len(self._near.recv(left))
        return time.perf_counter() - begin

    def close(self) -> None:
        self._writer.close()
        self._db.close()
        self._near.close()
        self._far.close()

    def _commit(self, _: bytes) -> None:
        self._db.execute("begin immediate")
        for table, size in (("patients", 900), ("outbox", 700), ("audit", 100)):
            self._db.execute(f"insert into {table} (body) values (?)", ("x" * size,))
        self._db.execute("commit")
        self._far.sendall(b"x" * 2048)


class _Thread:
    """A thread that runs the calls handed to it, one at a time."""

    def __init__(self, work: Callable[[bytes], object]) -> None:
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._work = work
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def hand(self, value: bytes) -> None:
        self._queue.put(value)

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (value := self._queue.get()) is not None:
            self._work(value)
