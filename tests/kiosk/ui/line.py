"""A client's end of the page's WebSocket."""

from __future__ import annotations

import json
from typing import Any

from simple_websocket import Client

from kiosk.ui.server import PageServer
from tests.kiosk.ui.admitted import cookie_of


class Line(Client):
    """simple-websocket's client, which would delay frames that come together with the handshake's answer."""

    def handshake(self) -> None:
        super().handshake()
        self._handle_events()
        # A close that came along too is heard by the first `receive`, which has its reason.
        self.connected = True


class Page:
    """The messages of a page, both ways."""

    def __init__(self, server: PageServer, headers: dict[str, str] | None = None) -> None:
        given = cookie_of(server.port) | (headers or {})
        self.line = Line.connect(f"ws://127.0.0.1:{server.port}/ws", headers=given)

    def hear(self) -> dict[str, Any]:
        message = self.line.receive(30)
        assert message is not None, "nothing came"
        return json.loads(message)

    def hear_until(self, kind: str) -> dict[str, Any]:
        while (message := self.hear())["type"] != kind:
            pass
        return message

    def say(self, command: str, **fields: object) -> None:
        self.line.send(json.dumps({"command": command, **fields}))

    def close(self) -> None:
        if self.line.connected:
            self.line.close()
