"""The real gateway on a real port, with workers' real calls, all on threads of the test's own process."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from wsgiref.types import WSGIApplication

from sync.central.frames import Begin
from sync.central.gateway.gateway import SHARES, Gateway, Shares
from sync.central.gateway.listening import listen
from sync.central.gateway.program import Program
from sync.central.metrics.counts import Counts
from sync.central.network.web_settings import WebSettings
from sync.central.tls.certificate import ServedCertificate
from sync.central.worker.calls import Calls


class WorkerInThread:
    """A worker on threads, for an application. `end_waiting` ends the calls that wait for news."""

    def __init__(self, app: WSGIApplication, end_waiting=lambda: None, counts: Counts | None = None) -> None:
        self.app = app
        self.counts = counts or Counts()
        self.end_waiting = end_waiting
        self.calls: Calls | None = None

    def start(self, link: socket.socket) -> WorkerInThread:
        self._ended = threading.Event()
        self._link = link.dup()
        self.calls = Calls(self._link, self.app, self._ended.set, self.counts)
        self.calls.start()
        return self

    def wait(self, seconds: float) -> None:
        assert self.calls is not None
        self.calls.end_sockets()
        self.end_waiting()
        self.calls.join(seconds)
        self.die()
        self._link.close()

    def die(self) -> None:
        """Ends the link without a word, as the death of a process does."""
        with suppress(OSError):
            self._link.shutdown(socket.SHUT_RDWR)


class GatewayInThread:
    """A gateway on a thread, until `close`."""

    def __init__(
        self,
        workers: Sequence[Program],
        shares: Shares = SHARES,
        proxies: Sequence[str] = (),
        certificate: ServedCertificate | None = None,
    ) -> None:
        self.workers = workers
        self._certificate = certificate
        self._listener = listen("127.0.0.1:0")
        self.port = self._listener.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self.gateway: Gateway | None = None
        self.ended_in_order: bool | None = None  # None while it serves
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(shares, proxies))
        self._thread.start()
        self._begun.wait()

    def _run(self, shares: Shares, proxies: Sequence[str]) -> None:
        async def serve() -> None:
            begin = Begin(WebSettings(trusted_proxies=tuple(proxies)))
            self.gateway = Gateway(self._listener, self.workers, self._certificate, begin, shares)
            self._loop.call_soon(self._begun.set)
            self.ended_in_order = await self.gateway.run()

        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(serve())

    def close(self) -> None:
        assert self.gateway is not None
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self.gateway.stop(), self._loop).result()
        self.join()

    def join(self) -> None:
        """Waits until it has ended by itself."""
        self._thread.join()
        self._listener.close()

    def close_worker(self, place: int = 0) -> None:
        """A worker says that it is going to end."""
        worker = self.workers[place]
        assert isinstance(worker, WorkerInThread)
        assert worker.calls is not None
        worker.calls.end_sockets()
