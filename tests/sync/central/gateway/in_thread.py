"""The real gateway on a real port, with a worker's real calls, both on threads of the test's own process."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Sequence
from wsgiref.types import WSGIApplication

from sync.central.frames import Begin
from sync.central.gateway.gateway import SHARES, Gateway, Shares
from sync.central.gateway.listening import listen
from sync.central.network.web_settings import WebSettings
from sync.central.tls.certificate import ServedCertificate
from sync.central.worker.calls import Calls


class WorkerInThread:
    """A worker on threads, for an application. `end_waiting` ends the calls that wait for news."""

    def __init__(self, app: WSGIApplication, end_waiting=lambda: None) -> None:
        self.app = app
        self.end_waiting = end_waiting
        self.calls: Calls | None = None

    def start(self, link: socket.socket) -> WorkerInThread:
        self._ended = threading.Event()
        self._link = link.dup()
        self.calls = Calls(self._link, self.app, self._ended.set)
        self.calls.start()
        return self

    def wait(self, seconds: float) -> None:
        assert self.calls is not None
        self.calls.end_sockets()
        self.end_waiting()
        self.calls.join(seconds)
        self._link.shutdown(socket.SHUT_RDWR)
        self._link.close()


class GatewayInThread:
    """A gateway on a thread, until `close`."""

    def __init__(
        self,
        worker: WorkerInThread,
        shares: Shares = SHARES,
        proxies: Sequence[str] = (),
        certificate: ServedCertificate | None = None,
    ) -> None:
        self.worker = worker
        self._certificate = certificate
        self._listener = listen("127.0.0.1:0")
        self.port = self._listener.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self.gateway: Gateway | None = None
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(shares, proxies))
        self._thread.start()
        self._begun.wait()

    def _run(self, shares: Shares, proxies: Sequence[str]) -> None:
        async def serve() -> None:
            begin = Begin(WebSettings(trusted_proxies=tuple(proxies)))
            self.gateway = Gateway(self._listener, self.worker, self._certificate, begin, shares)
            self._loop.call_soon(self._begun.set)
            await self.gateway.run()

        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(serve())

    def close(self) -> None:
        assert self.gateway is not None
        asyncio.run_coroutine_threadsafe(self.gateway.stop(), self._loop).result()
        self._thread.join()
        self._listener.close()

    def close_worker(self) -> None:
        """The worker says that it is going to end."""
        assert self.worker.calls is not None
        self.worker.calls.end_sockets()
