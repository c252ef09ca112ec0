"""The bare handler that the centre is measured against: the same server, the same SQL, and nothing else."""

from __future__ import annotations

import json
import sqlite3
import sys
import threading
from pathlib import Path
from typing import Any

from flask import Flask, Response, request

from sync.central.server import listen, serve


class Bare:
    """Takes the place of the centre's worker: an app, and a way to end it."""

    def __init__(self, directory: Path) -> None:
        requests = json.loads((directory / "statements.json").read_text("utf-8"))
        connection = sqlite3.connect(
            directory / "central.db", check_same_thread=False, isolation_level=None, cached_statements=512
        )
        for pragma in ("journal_mode=wal", "synchronous=full", "foreign_keys=on", "temp_store=memory"):
            connection.execute(f"pragma {pragma}")
        lock = threading.Lock()
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
                        connection.executemany(sql, parameters)
                    else:
                        connection.execute(sql, parameters).fetchall()
            return Response(json.dumps({"done": body["action_type"]}), content_type="application/json")

    def end_waiting(self) -> None:
        """Does nothing: no request waits here."""

    def close(self) -> None:
        """Does nothing: the connection ends with the process."""


if __name__ == "__main__":
    serve(listen(f"127.0.0.1:{sys.argv[2]}"), lambda: Bare(Path(sys.argv[1])))  # type: ignore[arg-type, return-value]
