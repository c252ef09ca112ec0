"""Serves `/metrics`, one scrape at a time, on a port of its own: the page's port is for the kiosk's browser alone."""

import hmac
import logging
import socket
import threading
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest

from kiosk.addresses import ConfigError
from kiosk.config import MetricsSection
from sync.direct import is_direct, is_forwarded
from sync.metrics import MEDIA

log = logging.getLogger(__name__)

PATH = "/metrics"
_PATIENCE_S = 5.0  # for a request and its answer; the next client waits meanwhile, and a stop too
_SHORTEST_TOKEN = 20


class MetricsServer:
    """The port of one kiosk. It is bound when made, and serves between `start()` and `stop()`."""

    def __init__(self, registry: CollectorRegistry, section: MetricsSection) -> None:
        """Raises ConfigError where the token cannot be read, and OSError where the address is in use."""
        token = _read_token(section.token_file)
        self._server = _Server(section.address, registry, token)
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begins to serve."""
        self._thread.start()

    def stop(self) -> None:
        """Ends after the scrape under way."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _read_token(file: str) -> str:
    if not file:
        return ""
    try:
        token = Path(file).read_text("ascii").strip()
    except (OSError, ValueError) as error:
        raise ConfigError(f"[metrics] token_file: {file}: it cannot be read as text") from error
    if len(token) < _SHORTEST_TOKEN:
        raise ConfigError(f"[metrics] token_file: {file}: a token has {_SHORTEST_TOKEN} characters at least")
    return token


class _Server(HTTPServer):
    def __init__(self, address: tuple[str, int], registry: CollectorRegistry, token: str) -> None:
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)
        self.registry = registry
        self.token = token

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serves one client. One that goes on byte by byte is cut off in time."""
        too_late = threading.Timer(_PATIENCE_S, _cut_off, (request,))
        too_late.daemon = True
        too_late.start()
        try:
            super().process_request(request, client_address)
        finally:
            too_late.cancel()

    def handle_error(self, *_: Any) -> None:
        log.debug("a scrape was cut off", exc_info=True)


def _cut_off(connection: socket.socket) -> None:
    with suppress(OSError):  # it has ended just now
        connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _PATIENCE_S
    server_version, sys_version = "nfc-kiosk", ""
    error_message_format, error_content_type = "%(code)d %(message)s\n", "text/plain"

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != PATH:
            self.send_error(HTTPStatus.NOT_FOUND)
        elif not self._is_allowed():
            self.send_error(HTTPStatus.FORBIDDEN)
        else:
            self._answer(generate_latest(self.server.registry))

    def log_message(self, format: str, *args: Any) -> None:
        """Logs nothing: a scrape comes every few seconds."""

    def _is_allowed(self) -> bool:
        names, token = self.headers.keys(), self.server.token
        if not token:
            return is_direct(self.client_address[0], "http", self.headers.get("Host", ""), names)
        given = self.headers.get("Authorization", "").encode("latin-1", "replace")
        return not is_forwarded(names) and hmac.compare_digest(given, f"Bearer {token}".encode())

    def _answer(self, body: bytes) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", MEDIA)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)
