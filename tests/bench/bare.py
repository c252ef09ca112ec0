"""The bare handler that the centre is measured against: the same server, the same SQL, and nothing else."""

from __future__ import annotations

import json
import socket
import sqlite3
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Flask, Response, request

from sync.central.frames import Begin
from sync.central.gateway.listening import listen
from sync.central.gateway.program import Command
from sync.central.metrics.counts import Counts
from sync.central.network.web_settings import WebSettings
from sync.central.server import Port, serve
from sync.central.worker.process import run_worker

Run = Callable[[str, Any], Any]
Database = tuple[Run, Run]  # what runs a statement once, and what runs it for each row of parameters


class Bare:
    """Takes the place of the centre's worker: an app, and a way to end it."""

    web = WebSettings()
    incarnation = ""

    def __init__(self, directory: Path, database: Database | None = None) -> None:
        """`database` takes the place of the file of SQLite."""
        recorded = json.loads((directory / "statements.json").read_text("utf-8"))
        # One text for each statement, as a program has: the driver finds a prepared statement by its text.
        requests = [[(many, sys.intern(sql), given) for many, sql, given in each] for each in recorded]
        execute, executemany = database or sqlite_file(directory)
        lock = threading.Lock()
        self.counts = Counts()
        self.app = Flask(__name__, static_folder=None)

        @self.app.get("/healthz")
        def healthz() -> Response:
            return Response('{"status": "ok"}', content_type="application/json")

        @self.app.post("/api/v1/patient-journey/perform-action/")
        def perform() -> Response:
            body: Any = request.get_json()
            statements = requests[int(request.headers["X-Number"])]
            with lock:
                for many, sql, parameters in statements:
                    if many:
                        executemany(sql, parameters)
                    else:
                        execute(sql, parameters)
            self.after(body)
            return Response(json.dumps({"done": body["action_type"]}), content_type="application/json")

    def after(self, body: Any) -> None:
        """What follows the commit of a request."""

    def begin(self, _: Begin) -> Bare:
        """Is served as it is."""
        return self

    def end_waiting(self) -> None:
        """Does nothing: no request waits here."""

    def close(self) -> None:
        """Does nothing: the connection ends with the process."""


def sqlite_file(directory: Path) -> Database:
    """What runs statements on the file of SQLite."""
    connection = sqlite3.connect(
        directory / "central.db", check_same_thread=False, isolation_level=None, cached_statements=512
    )
    for pragma in ("journal_mode=wal", "synchronous=full", "foreign_keys=on", "temp_store=memory"):
        connection.execute(f"pragma {pragma}")
    return lambda sql, parameters: connection.execute(sql, parameters).fetchall(), connection.executemany


def main(words: list[str]) -> None:
    """`DIRECTORY PORT` is the server, which starts `DIRECTORY PORT LINK`, its worker."""
    directory, port, *link = words
    if link:
        run_worker(socket.socket(fileno=int(link[0])), lambda: Bare(Path(directory)))
    serve(Port(listen(f"127.0.0.1:{port}")), [Command([sys.executable, "-m", "tests.bench.bare", directory, port])])


if __name__ == "__main__":
    main(sys.argv[1:])
