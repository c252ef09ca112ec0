"""A simulated kiosk that pulls, as the centre sees it, on one connection and as cheap as it can be.

It checks that each page continues what it has, and asks for the next one.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from sync.protocol import PullRequest

ROWS = 500
WAIT_S = 25.0
_HEAD = re.compile(rb'"server_incarnation":"([^"]*)","from_cursor":(\d+),"cursor":(\d+),"cursor_mac":"(\w+)"')
_FLAGS = re.compile(rb'"reset":(true|false),"more":(true|false)')
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_PATIENT = b'"masked_name"'  # once in each row


@dataclass(frozen=True, slots=True)
class Known:
    """What each kiosk of a site tells in a pull."""

    site_id: str
    definitions_version: int
    card_key_id: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a kiosk is in the changes: its cursor, the proof of it, and the incarnation."""

    cursor: int = 0
    mac: str = ""
    incarnation: str | None = None


Take = Callable[["Kiosk", bytes], None]


class Kiosk(asyncio.Protocol):
    """One kiosk on one connection. It pulls as soon as it is connected."""

    def __init__(self, known: Known, kiosk_id: str, token: str, take: Take, place: Place | None = None) -> None:
        """`take` gets each page (JSON) once the kiosk has taken it over."""
        self.kiosk_id = kiosk_id
        self.place = place or Place()
        self.rows = 0  # of its first pages
        self.is_current = asyncio.Event()
        self._known = known
        self._token = token
        self._take = take
        self._transport: asyncio.Transport | None = None
        self._parts: list[bytes] = []
        self._missing = 0
        self._is_leaving = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._pull(0.0)

    def data_received(self, data: bytes) -> None:
        self._parts.append(data)
        if self._missing:
            self._missing -= len(data)
        else:
            self._read_head()
        if self._missing == 0 and self._parts:
            body, self._parts = b"".join(self._parts).partition(b"\r\n\r\n")[2], []
            self._adopt(body)

    def connection_lost(self, error: Exception | None) -> None:
        if not self._is_leaving:
            raise SystemExit(f"the centre ended the connection of {self.kiosk_id}: {error}")

    def leave(self) -> None:
        """Ends the connection."""
        assert self._transport is not None
        self._is_leaving = True
        self._transport.abort()

    def _pull(self, wait_s: float) -> None:
        assert self._transport is not None
        ask = PullRequest(
            protocol_version=2,
            site_id=self._known.site_id,
            kiosk_id=self.kiosk_id,
            epoch=1,
            cursor=self.place.cursor,
            cursor_mac=self.place.mac,
            server_incarnation=self.place.incarnation,
            definitions_version=self._known.definitions_version,
            wait_s=wait_s,
            card_key_id=self._known.card_key_id,
            rows=ROWS,
        )
        body = msgspec.json.encode(ask)
        head = f"POST /api/v1/sync/pull HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self._token}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)

    def _adopt(self, body: bytes) -> None:
        found, flags = _HEAD.search(body, 0, 1000), _FLAGS.search(body, 0, 1000)
        if found is None or flags is None:
            raise SystemExit(f"no page: {body[:300]!r}")
        incarnation, begin, end, mac = found.groups()
        is_reset, has_more = (flag == b"true" for flag in flags.groups())
        if not is_reset and int(begin) != self.place.cursor:
            raise SystemExit(f"{self.kiosk_id} has {self.place.cursor}, and the page begins at {int(begin)}")
        self.place = Place(int(end), mac.decode(), incarnation.decode())
        if not self.is_current.is_set():
            self.rows += body.count(_PATIENT)
        if not has_more:
            self.is_current.set()
        self._take(self, body)
        self._pull(WAIT_S)

    def _read_head(self) -> None:
        head, separator, rest = b"".join(self._parts).partition(b"\r\n\r\n")
        if not separator:
            return
        length = _LENGTH.search(head)
        if not head.startswith(b"HTTP/1.1 200") or length is None:
            raise SystemExit(f"refused: {head!r} {rest[:300]!r}")
        self._missing = int(length[1]) - len(rest)


class Hall:
    """The kiosks of one process."""

    def __init__(self, host: str, port: int, document: dict[str, Any], take: Take) -> None:
        self._host, self._port = host, port
        self._known = Known(document["site_id"], document["definitions_version"], document["card_key_id"])
        self.enrolled: list[list[str]] = document["kiosks"]
        self.present: list[Kiosk] = []
        self._take = take

    async def connect(self, number: int, place: Place | None = None, source: str = "") -> Kiosk:
        """Lets one of the enrolled kiosks pull from a place, over a connection from an address of this machine."""
        kiosk_id, token = self.enrolled[number]
        _, kiosk = await asyncio.get_running_loop().create_connection(
            lambda: Kiosk(self._known, kiosk_id, token, self._take, place),
            self._host,
            self._port,
            local_addr=(source, 0) if source else None,
        )
        self.present.append(kiosk)
        return kiosk

    async def clear(self) -> None:
        """Ends all connections."""
        for kiosk in self.present:
            kiosk.leave()
        self.present = []
        await asyncio.sleep(0)
