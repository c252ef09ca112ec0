"""A transport for requests whose call can be cut from another thread: at a deadline, or when the daemon stops."""

import contextlib
import socket
import threading
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


class CallCancelled(OSError):
    """The call was cut."""


class CancellableAdapter(HTTPAdapter):
    """Holds the connection of the one call at a time that it carries."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._call = 0
        self._is_cut = False
        self._for_good = False
        self._connection: HTTPConnection | None = None
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Makes the pools, whose connections say when they connect. Called by the base class."""
        super().init_poolmanager(*args, **kwargs)
        adapter = self

        class Plain(HTTPConnection):
            def connect(self) -> None:
                adapter._connect(self, super().connect)

        class Secure(HTTPSConnection):
            def connect(self) -> None:
                adapter._connect(self, super().connect)

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(HTTPSConnectionPool):
            ConnectionCls = Secure

        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}

    def begin(self) -> int:
        """A new call; returns its number. Raises Cut where all are cut for good."""
        with self._lock:
            if self._for_good:
                raise CallCancelled
            self._call += 1
            self._is_cut = False
            return self._call

    def cut(self, call: int) -> None:
        """Cuts that call, if it is still the one under way."""
        with self._lock:
            if call == self._call:
                self._cut()

    def cut_for_good(self) -> None:
        """Cuts the call under way and every later one."""
        with self._lock:
            self._for_good = True
            self._cut()

    def _cut(self) -> None:
        self._is_cut = True
        sock = self._connection.sock if self._connection else None
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _connect(self, connection: HTTPConnection, connect: Any) -> None:
        self._connection = connection
        connect()
        with self._lock:
            # Cut while it was connecting, when there was no socket yet to cut.
            if self._is_cut:
                connection.close()
                raise CallCancelled
