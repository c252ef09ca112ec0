"""The server of an app: its pages come from another origin than the centre's."""

from __future__ import annotations

import http.server
import threading
from typing import Any

_PAGE = '<!doctype html><meta charset="utf-8"><title>App</title><link rel="icon" href="data:,"><div id="root"></div>'


class AppServer:
    """Serves files from memory: `pages` by path. Any other path is an empty page."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[str, bytes]] = {}
        app = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                media, body = app.pages.get(self.path, ("text/html", _PAGE.encode()))
                self.send_response(200)
                self.send_header("Content-Type", media)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Keeps the output of the tests clean."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="app", daemon=True).start()

    def page_with(self, script: bytes, name: str) -> str:
        """Serves a page with this module. Returns its URL."""
        self.pages[f"/{name}.js"] = ("text/javascript", script)
        self.pages[f"/{name}"] = ("text/html", f'{_PAGE}<script type="module" src="/{name}.js"></script>'.encode())
        return f"{self.origin}/{name}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
