"""Serves the centre with gunicorn: one worker process of many threads, which alone has the database open.

The worker ends with its parent. Where the worker dies by itself, gunicorn starts another one. A stop ends sockets and
waiting calls first, so that it takes seconds even with all of them open.
"""

import gc
import logging
import os
import signal
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.workers.gthread import ThreadWorker

from sync.central.kiosks.pull import MAX_POLLS
from sync.central.worker import MAX_SOCKETS, Worker
from sync.parent_death import end_with_parent

_REQUEST_THREADS = 16
_GRACE_S = 4


class ListenError(OSError):
    """The centre cannot listen on the address. The message says why, for the operator."""


def listen(address: str, patience_ms: int = 10_000) -> socket.socket:
    """A listening socket for HOST:PORT ([HOST]:PORT for IPv6). Raises ListenError.

    A connection whose peer pauses for longer than `patience_ms` in the middle of a request is closed.
    """
    host, separator, port = address.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    if not separator or not bare or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ListenError(f"{address[:200]!r} is not HOST:PORT")
    family = socket.AF_INET6 if ":" in bare else socket.AF_INET
    try:
        listener = socket.create_server((bare, int(port)), family=family, backlog=512)
    except (OSError, UnicodeError) as error:
        raise ListenError(f"{address}: {error}") from error
    # Its connections inherit it.
    patience = struct.pack("ll", patience_ms // 1000, patience_ms % 1000 * 1000)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, patience)
    return listener


def serve(listener: socket.socket, start: Callable[[], Worker]) -> None:
    """Serves until SIGTERM or SIGINT; ends the process. `start` runs in the worker, after the fork."""
    _Gunicorn(listener, start).run()


class _Worker(ThreadWorker):  # type: ignore[misc]
    """A threaded worker that ends with its parent, and ends every wait at a stop."""

    def init_process(self) -> None:
        end_with_parent(signal.SIGKILL, self.ppid)
        # Half of the parent's wait, after which the parent kills the worker.
        self.cfg.set("graceful_timeout", _GRACE_S // 2)
        self.log.error_log.addFilter(_is_useful_line)
        super().init_process()

    def init_signals(self) -> None:
        super().init_signals()
        # Ctrl-C reaches the worker too, and the parent passes it on as SIGQUIT: all of them mean an orderly stop.
        for number in (signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, self.handle_exit)

    def handle_exit(self, sig: int, frame: Any) -> None:
        if self.alive:
            # Not in the signal handler itself: it may interrupt a thread that holds a lock.
            threading.Thread(target=self.app.end_waiting, name="stop").start()
        super().handle_exit(sig, frame)


def _is_useful_line(record: logging.LogRecord) -> bool:
    """Whether a line of gunicorn's log tells of a fault here. A peer that left or was too slow is none."""
    return not (record.exc_info and isinstance(record.exc_info[1], BlockingIOError))


class _Gunicorn(BaseApplication):  # type: ignore[misc]
    def __init__(self, listener: socket.socket, start: Callable[[], Worker]) -> None:
        self._listener = listener
        self._start = start
        self.worker: Worker | None = None
        super().__init__()

    def load_config(self) -> None:
        settings = {
            "bind": [f"fd://{self._listener.fileno()}"],
            "worker_class": _Worker,
            "workers": 1,
            "threads": MAX_SOCKETS + MAX_POLLS + _REQUEST_THREADS,
            "keepalive": 75,
            "graceful_timeout": _GRACE_S,
            "control_socket_disable": True,  # it would lie in the home directory
            "loglevel": "error",
            # The application alone decides whom it believes. By default any process of this machine could set these.
            "secure_scheme_headers": {},
            "forwarder_headers": "",
            "umask": 0o077,
            "worker_exit": lambda _, __: self._end(),
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        self.worker = self._start()
        # These objects live as long as the process, so no collection needs to look at them again.
        gc.collect()
        gc.freeze()
        return self.worker.app

    def end_waiting(self) -> None:
        """Ends open sockets and waiting calls."""
        if self.worker is not None:
            self.worker.end_waiting()

    def _end(self) -> None:
        """Closes every part, and leaves without waiting for threads: some wait for silent peers."""
        if self.worker is None:  # it ends before it has begun
            return
        self.worker.close()
        os._exit(0)
