"""The centre's real web application on a real port, and clients that speak to it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import requests
from simple_websocket import Client, ConnectionClosed
from simple_websocket import ConnectionError as NoHandshake
from wsproto.events import RejectConnection, Request

from sync.central.gateway.gateway import SHARES, Shares
from sync.central.network.web_settings import WebSettings
from sync.central.web.app import create_app
from sync.central.web.socket_places import SocketPlaces
from sync.ids import new_id
from sync.journey.model import Role
from tests.sync.central.centre import Centre, patient
from tests.sync.central.gateway.in_thread import GatewayInThread, WorkerInThread
from tests.sync.central.held_to_document import hold_message_to_document, hold_to_document

PATIENTS = 80
API = "/api/v1"
PATIENCE_S = 30


class Online:
    """One server for a module of tests; each test takes patients of its own."""

    def __init__(
        self,
        directory: Path,
        max_sockets: int = 40,
        web: WebSettings | None = None,
        centre: Centre | None = None,
        shares: Shares = SHARES,
    ) -> None:
        self.centre = centre or Centre(directory, patients=PATIENTS)
        self.sockets = SocketPlaces(max_sockets)
        self.app = create_app(self.centre.parts, self.sockets, 8, web)
        worker = WorkerInThread(self.app, self.centre.store.news.close, self.centre.parts.counts)
        self._gateway = GatewayInThread([worker], shares, web.trusted_proxies if web else ())
        self.host = f"127.0.0.1:{self._gateway.port}"
        self._numbers = itertools.count(1)
        self.staff = self.centre.token(Role.STAFF)

    def close(self) -> None:
        self._gateway.close()
        self.centre.store.close()

    def newcomer(self, *, booked: bool = True) -> str:
        """A patient whom no test has used yet."""
        number = next(n for n in self._numbers if bool(n % 5) is booked)
        assert number <= PATIENTS, "the test hospital has too few patients"
        return patient(number)

    def own_token(self, patient_id: str) -> str:
        return self.centre.token(Role.PATIENT, patient_id)

    def call(self, method: str, path: str, token: str | None = None, **rest: Any) -> requests.Response:
        """Any request. `json=` sends JSON. The answer is one that the document of the interface names."""
        headers = rest.pop("headers", {}) | ({"Authorization": f"Bearer {token}"} if token else {})
        answer = requests.request(method, f"http://{self.host}{path}", headers=headers, timeout=PATIENCE_S, **rest)
        hold_to_document(answer)
        return answer

    def state(self, token: str, **query: str) -> requests.Response:
        return self.call("GET", f"{API}/patient-journey/current-state/", token, params=query)

    def act(self, token: str, action_type: str, action_id: str | None = None, **payload: object) -> requests.Response:
        body = {"action_type": action_type, "action_id": action_id or new_id(), "payload": payload}
        return self.call("POST", f"{API}/patient-journey/perform-action/", token, json=body)

    @contextmanager
    def socket(
        self,
        token: str | None,
        *,
        browser: bool = False,
        path: str = "/ws/patient-journey/",
        query: str = "",
        **more: Any,
    ) -> Iterator[Socket]:
        """An open patient socket, as an app (a header) or a browser (subprotocols) opens it."""
        headers = more.pop("headers", {})
        if token is not None and not browser:
            headers["Authorization"] = f"Bearer {token}"
        protocols = ["bearer", token] if browser else None
        client = WholeClient(f"ws://{self.host}{path}{query}", subprotocols=protocols, headers=headers)
        try:
            yield Socket(client)
        finally:
            with suppress(ConnectionClosed, OSError):
                client.close()
            client.thread.join(PATIENCE_S)


class WholeClient(Client):
    """simple-websocket's own client loses a message that arrives together with the handshake's answer."""

    def handshake(self) -> None:
        request = Request(
            host=self.host, target=self.path, subprotocols=self.subprotocols, extra_headers=self.extra_headeers
        )
        self.sock.send(self.ws.send(request))
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.sock.recv(1)
        self.ws.receive_data(head)
        event = next(self.ws.events())
        if isinstance(event, RejectConnection):
            raise NoHandshake(event.status_code)
        self.subprotocol = event.subprotocol
        self.connected = True


class Socket:
    """A client's end of the socket, which speaks JSON."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def send(self, message: object) -> None:
        self.client.send(message if isinstance(message, str | bytes) else json.dumps(message))

    def next(self) -> dict[str, Any]:
        """The next message. The test fails where none comes, or one that the document of the socket does not name."""
        text = self.client.receive(timeout=PATIENCE_S)
        assert text is not None, "no message came"
        message = dict(json.loads(text))
        hold_message_to_document(message)
        return message

    def until(self, type_: str) -> dict[str, Any]:
        """The next message of a type."""
        while (message := self.next())["type"] != type_:
            pass
        return message

    def ask(self, command: str, **more: object) -> None:
        self.send({"command": command, **more})

    def closed(self) -> int:
        """Waits until the server closes, and drops its messages until then. Returns the close code."""
        try:
            while self.client.receive(timeout=PATIENCE_S) is not None:
                pass
        except ConnectionClosed as end:
            return int(end.reason)
        raise AssertionError("the socket is still open")
