"""The parts of the centre's one worker process, started in order and stopped in reverse."""

import os
import signal
from pathlib import Path

from flask import Flask

from sync.central.maintenance.housekeeping import Housekeeping
from sync.central.opening import open_centre
from sync.central.operations.catalog import operations
from sync.central.records.audit import KEPT_DAYS
from sync.central.records.web_settings import WebSettings, read_web_settings
from sync.central.services.web_settings import chosen
from sync.central.web.app import create_app
from sync.control import ControlServer, socket_path
from sync.database_watch import DatabaseWatch
from sync.journey.definitions import Definitions
from sync.websocket.limits import SocketLimits

MAX_SOCKETS = 64


class Worker:
    """A centre over its database, with housekeeping, control socket and web application."""

    def __init__(
        self,
        url: str,
        keys: Path | None = None,
        definitions: Definitions | None = None,
        audit_days: int = KEPT_DAYS,
        web: WebSettings | None = None,
    ) -> None:
        """Starts every part. The audit is kept for `audit_days`. Each setting of `web` wins over the stored one.

        Raises StoreError, or OSError where the control socket cannot be made.
        """
        self._centre = open_centre(url, keys, definitions, create=False)
        self._sockets = SocketLimits(MAX_SOCKETS)
        self._housekeeping = Housekeeping(self._centre, audit_days=audit_days)
        self._watch = DatabaseWatch(self._centre.store.tend, _end_process)
        self._control = ControlServer(socket_path(self._centre.store.path), operations(self._centre))
        try:
            with self._centre.store.read() as db:
                web = chosen(web or WebSettings(), read_web_settings(db))
            self.app: Flask = create_app(self._centre, self._sockets, web=web)
            self._control.start()
        except BaseException:
            self._centre.store.close()
            raise
        self._housekeeping.start()
        self._centre.store.check_in_background()
        self._watch.start()

    def end_waiting(self) -> None:
        """Ends open sockets and waiting calls, so that nothing holds up a stop."""
        self._sockets.stop()
        self._centre.store.news.close()

    def close(self) -> None:
        """Ends the rest, the database last."""
        self.end_waiting()
        self._watch.stop()
        self._control.stop()
        self._housekeeping.stop()
        self._centre.store.close()


def _end_process() -> None:
    """Stops this worker in order: another one starts, and opens what the watch has saved."""
    os.kill(os.getpid(), signal.SIGTERM)
