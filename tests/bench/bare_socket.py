"""The bare WebSocket that the centre is measured against: flask-sock on Werkzeug's threads, and the same SQL."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

from flask import request
from flask_sock import Sock
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.bench.bare import Bare

MESSAGE = "x" * 600  # as long as a state


class BareSocket(Bare):
    """A request runs its SQL, and then its patient's socket gets a message."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._open: dict[str, Any] = {}

        @Sock(self.app).route("/ws/patient-journey/")  # type: ignore[untyped-decorator]
        def socket(websocket: Any) -> None:
            self._open[request.args["patient_id"]] = websocket
            websocket.send(MESSAGE)
            threading.Event().wait()

    def after(self, body: Any) -> None:
        """Tells the patient's socket."""
        self._open[body["payload"]["patient_id"]].send(MESSAGE)


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"  # connections stay open, as the centre's do

    def log(self, *_: object) -> None:
        """Logs nothing."""


if __name__ == "__main__":
    app = BareSocket(Path(sys.argv[1])).app
    make_server("127.0.0.1", int(sys.argv[2]), app, threaded=True, request_handler=_Quiet).serve_forever()
