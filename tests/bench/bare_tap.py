"""The bare path that a tap is measured against: the same SQL on the same file, and the same bytes on the same socket.

A kiosk takes the taps first, and its statements and screens are recorded. The bare path runs the statements of a tap on
a copy of the file from before, and sends the recorded screens through flask-sock on Werkzeug's threads. It hashes no
card, decides nothing and builds no screen. A thread of the page's own sends, since a page that does not read must not
hold up a tap.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from flask import Flask
from flask_sock import Sock
from werkzeug.serving import WSGIRequestHandler, make_server

from kiosk.front.latest import LatestSlot
from kiosk.front.reception import Reception
from kiosk.front.screen import Screen
from kiosk.store.sqlite import Store
from kiosk.ui.messages import State
from sync.database_file import connect
from tests.bench.page_client import PageClient
from tests.bench.recording import recording
from tests.bench.taken import Taken, taken
from tests.bench.work_thread import WorkThread
from tests.kiosk import samples
from tests.kiosk.parts import KioskParts
from tests.kiosk.reception_rig import Seconds

Statement = tuple[str, Any, bool]  # the SQL, its values, and whether these are many rows


@dataclass(frozen=True)
class Half:
    """The greeting, or the act: its statements, and the message to the page after them."""

    statements: list[Statement]
    message: str


def record(directory: Path, taps: int) -> list[tuple[Half, Half]]:
    """Records the first taps of so many patients, on a copy of the kiosk's file in a directory."""
    copy = directory.with_name(f"{directory.name}-recording")
    shutil.copytree(directory, copy)
    with _recorded() as seen:
        parts, seconds = KioskParts(Store(copy / "kiosk.db"), samples.RunningClock()), Seconds()
        reception = Reception(
            parts.journeys, samples.KEYS.hashes, lambda: ("scan_nfc",), lambda: None, monotonic=seconds
        )
        with reception.subscribe() as screens:
            halves = []
            for number in range(taps):
                seen.clear()
                reception.tap(samples.uid(number))
                greeting = _half(seen, screens)
                seconds.now += 1
                reception.tick()
                halves.append((greeting, _half(seen, screens)))
                reception.clear_field("")
        parts.store.close()
    shutil.rmtree(copy)
    return halves


class BareTap:
    """The bare path on the kiosk's file in a directory, with one open socket."""

    def __init__(self, directory: Path, halves: list[tuple[Half, Half]]) -> None:
        self._halves = halves
        self._db = connect(directory / "kiosk.db")
        for pragma in ("journal_mode=wal", "synchronous=full", "foreign_keys=on", "secure_delete=on"):
            self._db.execute(f"pragma {pragma}")
        self._open: list[Any] = []
        app = Flask(__name__, static_folder=None)

        @Sock(app).route("/ws")  # type: ignore[untyped-decorator]
        def socket(websocket: Any) -> None:
            self._open.append(websocket)
            websocket.send("open")
            threading.Event().wait()

        self._server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self._page = PageClient(self._server.port)
        self._page.receive()
        self._sender = WorkThread()

    def once(self, number: int) -> tuple[Taken, Taken]:
        """What the greeting takes, and the act."""
        greeting, act = self._halves[number]
        return taken(lambda: self._do(greeting)), taken(lambda: self._do(act))

    def close(self) -> None:
        self._sender.close()
        self._page.close()
        self._server.shutdown()
        self._db.close()

    def _do(self, half: Half) -> None:
        for sql, values, is_many in half.statements:
            if is_many:
                self._db.executemany(sql, values)
            else:
                self._db.execute(sql, values).fetchall()
        self._sender.hand(lambda: self._open[0].send(half.message))
        self._page.receive()


class _Quiet(WSGIRequestHandler):
    def log(self, *_: object) -> None:
        """Logs nothing."""


def _half(seen: list[Statement], screens: LatestSlot[Screen]) -> Half:
    """What was recorded since the last half. The kiosk's own checkpoints are left out: here SQLite makes them."""
    statements = [each for each in seen if not each[0].startswith("pragma")]
    seen.clear()
    screen = screens.take()
    assert screen is not None
    return Half(statements, msgspec.json.encode(State("state_update", screen)).decode())


@contextmanager
def _recorded() -> Iterator[list[Statement]]:
    """Yields the list of the statements of every connection that is opened while the context is open."""
    seen: list[Statement] = []

    def note(many: bool, sql: str, values: Any) -> None:
        if values or not many:
            seen.append((sql, values, many))

    with recording(note):
        yield seen
