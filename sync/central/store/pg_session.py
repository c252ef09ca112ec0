"""The session of a service at PostgreSQL: it says that the service is here, and hears the news of the other services.

It is one connection, made again where it was lost. Its locks and its LISTEN belong to it, so it goes past a pooler that
shares connections.
"""

import contextlib
import logging
import select
import socket
import sqlite3
import threading
from collections import deque
from collections.abc import Callable

from sync.central.store.errors import InUse, StoreError
from sync.central.store.pg_connection import Driver, PgConnection
from sync.central.store.pg_locks import (
    ALONE,
    BACKGROUND,
    CHANNEL,
    JOIN,
    JOIN_AS_HOST,
    NO_LONGER_ALONE,
    NONE,
    OTHER_HOSTS,
)
from sync.central.store.place import Place
from sync.central.store.share import Share

log = logging.getLogger(__name__)

_AGAIN_MS = 1000  # from one try to connect again to the next
_PAUSE_MS = 10  # from one reading to the next: many commits are heard at once, and cost a worker little
_LOOK_MS = 5000  # without news: the end of a connection that nobody has told is noticed

_PROCESS = "select pg_backend_pid()"
_LOCKS = {Share.HOST: JOIN_AS_HOST, Share.WORKER: JOIN, Share.ALONE: ALONE}


class PgSession:
    """One service's session. May be used from any thread."""

    def __init__(self, place: Place, connect: Callable[[], Driver], share: Share) -> None:
        """Connects, and takes the lock of a service, as `share` demands.

        Raises InUse where that lock is not free, and StoreError where the server is not reached.
        """
        self._place = place
        self._take = _LOCKS[share]
        self._lock = threading.Lock()
        self._telling = threading.RLock()
        self._heard: deque[str] = deque()
        self._leads = False
        self._thread: threading.Thread | None = None
        self._stopped, self._stop = socket.socketpair()
        try:
            self._connection = PgConnection(connect)
            if not self._ask(self._take):
                self._connection.close()
                raise InUse(f"{place}: another service is using it")
        except sqlite3.Error as error:
            raise StoreError(f"{place}: {error}") from error

    def become_alone(self) -> bool:
        """Keeps every other service out, until `be_with_others()`. False where another one is here."""
        return self._ask(ALONE)

    def be_with_others(self) -> None:
        """Lets other services in again."""
        self._ask(NO_LONGER_ALONE)

    def shares_with(self, other: PgConnection) -> bool:
        """Whether a pooler gives this session to another connection between two transactions. Raises sqlite3.Error.

        Locks and LISTEN would be lost there.
        """
        if not self._connection.is_pooled:
            return False
        own = self._connection.together(_PROCESS)
        taken = other.together(f"begin; {_PROCESS}")  # holds the session that it gets
        now = self._connection.together(_PROCESS)
        other.execute("rollback")
        return own == taken or own != now

    def has_other_hosts(self) -> bool:
        """Whether another host has the database open at this moment, for a host. Raises sqlite3.Error."""
        return self._ask(OTHER_HOSTS)

    def leads(self) -> bool:
        """Whether this service does the background work of all: the first one that has asked, while it is here."""
        try:
            # A session that holds the lock still has it, unless its connection was lost.
            self._leads = self._ask("select true" if self._leads else BACKGROUND)
        except sqlite3.Error:
            self._leads = False
        return self._leads

    def listen(self, hear: Callable[[str], None], lost: Callable[[], None]) -> None:
        """Starts the thread that hears. `hear` gets what each notification says, and `lost` is called after a gap.

        Raises sqlite3.Error.
        """
        self._hear, self._lost = hear, lost
        self._begin_to_listen()
        self._thread = threading.Thread(target=self._run, name="news", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the session. Its locks are free then, and not only when the server notices."""
        self._stop.close()
        if self._thread is not None:
            self._thread.join()
        with contextlib.suppress(sqlite3.Error):
            self._ask(NONE)
        self._connection.close()
        self._stopped.close()

    def _ask(self, sql: str) -> bool:
        with self._lock:
            found = self._connection.execute(sql).fetchone()
        self._tell()
        return found is not None and bool(found[0])

    def _begin_to_listen(self) -> None:
        with self._lock:
            self._connection.hear(lambda notify: self._heard.append(notify.payload))
            self._connection.execute(f"listen {CHANNEL}")

    def _run(self) -> None:
        while not self._is_stopped(0):
            try:
                self._hear_on()
            except sqlite3.Error:
                self._leads = False
                log.warning("%s: the connection for news is lost", self._place)
                self._connect_again()

    def _hear_on(self) -> None:
        """Hears until the stop. Raises sqlite3.Error where the connection is lost."""
        while True:
            with self._lock:
                link = self._connection.socket
            if self._is_stopped(_LOOK_MS, link):
                return
            with self._lock:
                self._connection.take_notifications()
            self._tell()
            if self._is_stopped(_PAUSE_MS):
                return

    def _tell(self) -> None:
        """Passes on what was heard, in its order, in the thread that has read it."""
        with self._telling:
            while self._heard:
                try:
                    self._hear(self._heard.popleft())
                except Exception:
                    log.exception("news of another service were not passed on")  # those after them are

    def _connect_again(self) -> None:
        while not self._is_stopped(_AGAIN_MS):
            try:
                with self._lock:
                    self._connection.renew()
                if not self._ask(self._take):
                    continue  # a restore is under way
                self._begin_to_listen()
            except (sqlite3.Error, InUse):
                continue
            log.warning("%s: the connection for news is there again", self._place)
            self._lost()
            return

    def _is_stopped(self, milliseconds: int, *others: int) -> bool:
        """Whether the session is to end. Waits so long for that, or for something on other files."""
        poll = select.poll()
        for file in (self._stopped.fileno(), *others):
            poll.register(file, select.POLLIN)
        return any(file == self._stopped.fileno() for file, _ in poll.poll(milliseconds))
