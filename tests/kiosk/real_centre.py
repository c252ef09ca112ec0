"""A real centre on a port for tests of a kiosk's calls, with a network before it that can fail."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

from sync.central.kiosks.enrolment import new_code
from sync.central.operations.catalog import operations
from sync.central.web.app import create_app
from sync.central.web.socket_places import SocketPlaces
from tests.middlebox import Middlebox, Request, Response
from tests.sync.central.wire import Centre, Time


class _Quiet(WSGIRequestHandler):
    def log(self, *_: object) -> None:
        """Logs nothing: a fault shows in the test."""


class RealCentre:
    """A centre, its server, and what stands between. `close()` stops everything."""

    def __init__(self, directory: Path) -> None:
        self.centre = Centre(directory / "centre.db", Time())
        app = create_app(self.centre.parts, SocketPlaces(1), 4)
        self._server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
        threading.Thread(target=self._server.serve_forever).start()
        self.between = Middlebox(f"http://127.0.0.1:{self._server.server_port}")

    def close(self) -> None:
        self.between.close()
        self.centre.store.news.close()
        self._server.shutdown()
        self._server.server_close()
        self.centre.store.close()

    def code(self) -> str:
        with self.centre.store.write() as db:
            return new_code(db, self.centre.time())

    def do(self, operation: str, **arguments: object) -> Any:
        """An operation of the command line."""
        return operations(self.centre.parts)[operation](arguments)

    def rows(self, sql: str, **parameters: object) -> list[dict[str, object]]:
        return self.centre.rows(sql, **parameters)

    def change(self, sql: str) -> None:
        """A change of the database by hand."""
        with self.centre.store.write() as db:
            db.execute(sql)

    def lose(
        self, number: int, of: Callable[[Request], bool] = lambda _: True, instead: Response | None = None
    ) -> None:
        """Loses the next answers to such requests: they are cut short, or another one comes instead."""
        left = iter(range(number))

        def change(request: Request, answer: Response) -> Response:
            if not of(request) or next(left, None) is None:
                return answer
            return instead or replace(answer, cut_at=7)

        self.between.rewrite(change)
