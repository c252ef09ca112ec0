"""A receiver of webhooks on a real port, which answers as the test says and keeps what came."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook

from tests.authority import Signed

Answer = Callable[[dict[str, Any]], int]


class WebhookReceiver:
    """Verifies each message with the library of the specification, where it knows the secret, and answers it.

    The library demands the present time.
    """

    def __init__(self, signed: Signed | None = None) -> None:
        """With a certificate it is reached over https."""
        self.answer: Answer = lambda _: 204
        self.headers: dict[str, str] = {}  # of its answers
        self.secret = ""
        self.came: list[dict[str, Any]] = []  # every message, in the order of its arrival
        self.taken: list[dict[str, Any]] = []  # those that it answered with 2xx
        self.ids: list[str] = []
        self.raw: list[tuple[dict[str, str], bytes]] = []
        self._changed = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                receiver.take(self)

            def do_GET(self) -> None:
                raise AssertionError("a redirect was followed")

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if signed is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(signed.chain, signed.key)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"http{'s' if signed else ''}://127.0.0.1:{self._server.server_port}/events"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def take(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in request.headers.items()}
        if self.secret:
            Webhook(self.secret).verify(body, headers)
        message = json.loads(body)
        with self._changed:
            self.raw.append((headers, body))
            self.came.append(message)
            self.ids.append(headers["webhook-id"])
            self._changed.notify_all()
        status = self.answer(message)
        if 200 <= status < 300:
            with self._changed:
                self.taken.append(message)
                self._changed.notify_all()
        request.send_response(status)
        for name, value in self.headers.items():
            request.send_header(name, value)
        if status != 204:
            request.send_header("Content-Length", "0")
        request.end_headers()

    def wait_until(self, is_so: Callable[[], bool]) -> None:
        """Waits until something is so after a message."""
        with self._changed:
            self._changed.wait_for(is_so)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
