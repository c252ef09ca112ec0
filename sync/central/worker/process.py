"""A worker's process, from its start by the gateway to its end."""

import gc
import os
import signal
import socket
import threading
from collections.abc import Callable
from typing import Protocol
from wsgiref.types import WSGIApplication

from sync.central.frames import Begin, Opened, decode_for_worker, encode, read_document
from sync.central.metrics.counts import Counts
from sync.central.network.web_settings import WebSettings
from sync.central.worker.calls import Calls
from sync.parent_death import end_with_parent

GRACE_S = 2.0  # for calls that are being answered at a stop


class Served(Protocol):
    """What a worker's process serves."""

    @property
    def app(self) -> WSGIApplication:
        """The application."""

    @property
    def counts(self) -> Counts:
        """What it counts."""

    def end_waiting(self) -> None:
        """Ends the calls that wait for news."""

    def close(self) -> None:
        """Ends the rest."""


class Stage(Protocol):
    """What is open, and not served yet."""

    @property
    def web(self) -> WebSettings:
        """How the centre is reached."""

    @property
    def incarnation(self) -> str:
        """The id of the state of the database."""

    def begin(self, begin: Begin) -> Served:
        """Starts what is served."""

    def close(self) -> None:
        """Ends it where it is not to be served."""


def run_worker(link: socket.socket, open_stage: Callable[[], Stage]) -> None:
    """Serves the gateway at the other end of the link until it ends the link, or SIGTERM. Ends the process then.

    Returns where the gateway ends the link before it lets the worker begin. The process ends with its parent.
    """
    end_with_parent(signal.SIGKILL, os.getppid())
    stop = threading.Event()
    stage = open_stage()
    begin = _ask(link, Opened(stage.web, stage.incarnation))
    if begin is None:
        stage.close()
        return
    served = stage.begin(begin)
    calls = Calls(link, served.app, stop.set, served.counts)
    # Not in the signal handler itself: it may interrupt a thread that holds a lock.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=calls.ask_for_end).start())
    # What is loaded lives as long as the process, so no collection looks at it: neither at the start nor later.
    gc.freeze()
    gc.enable()
    calls.start()
    stop.wait()
    calls.end_sockets()
    served.end_waiting()
    calls.join(GRACE_S)
    served.close()
    os._exit(0)  # some threads may still be at a call


def _ask(link: socket.socket, opened: Opened) -> Begin | None:
    """Tells the gateway that the stage is open, and waits for its word; None where it has left, or wants no worker."""
    try:
        link.sendall(encode(opened))
        document = read_document(link)
    except OSError:
        return None
    said = decode_for_worker(document) if document else None
    return said if isinstance(said, Begin) else None
