"""Everything that runs in the centre's one worker process, started in order and stopped in reverse."""

from pathlib import Path

from flask import Flask

from sync.central.maintenance.housekeeping import Housekeeping
from sync.central.opening import open_service
from sync.central.operations.hospital import operations
from sync.central.records.audit import KEPT_DAYS
from sync.central.web.app import create_app
from sync.central.web.socket_limits import SocketLimits
from sync.control import ControlServer, socket_path
from sync.journey.definitions import Definitions

MAX_SOCKETS = 64


class Worker:
    """The service over its database, with background work, control socket and web application."""

    def __init__(
        self,
        url: str,
        keys: Path | None = None,
        definitions: Definitions | None = None,
        audit_days: int = KEPT_DAYS,
    ) -> None:
        """Starts all of it. The audit is kept for `audit_days`. Raises StoreError, or OSError where the control socket
        cannot be made."""
        self.service = open_service(url, keys, definitions)
        self._sockets = SocketLimits(MAX_SOCKETS)
        self._background = Housekeeping(self.service, audit_days=audit_days)
        self._control = ControlServer(socket_path(self.service.store.path), operations(self.service))
        self.app: Flask = create_app(self.service, self._sockets)
        try:
            self._control.start()
        except BaseException:
            self.service.store.close()
            raise
        self._background.start()

    def end_waiting(self) -> None:
        """Ends open sockets and waiting calls, so that nothing holds up a stop."""
        self._sockets.stop()
        self.service.store.news.close()

    def close(self) -> None:
        """Ends the rest, the database last."""
        self.end_waiting()
        self._control.stop()
        self._background.stop()
        self.service.store.close()
