"""Many kiosks in one cheap process, as the centre sees them.

Each pulls, checks that the page continues what it has, and pulls again. The process takes one command a line. It
answers each with a line of JSON:

    wait NUMBER      so many kiosks pull from now on; the answer comes when all of them wait for news
    begin NUMBER     so many kiosks pull a snapshot; answers the seconds until each has all of it, and its rows
    heard            for each marked patient the times (monotonic clock, seconds) at which kiosks got it

python -m tests.bench.waiting_kiosks HOST PORT SITE KIOSKS-FILE
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import msgspec

from sync.protocol import PullRequest

MARK = b"mark-"  # how the ids of marked patients begin
ROWS = 500
WAIT_S = 25.0
_HEAD = re.compile(rb'"server_incarnation":"([^"]*)","from_cursor":(\d+),"cursor":(\d+),"cursor_mac":"(\w+)"')
_FLAGS = re.compile(rb'"reset":(true|false),"more":(true|false)')
_MARKED = re.compile(rb'"patient_id":"(mark-\d+)","masked_name"')
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class Kiosk(asyncio.Protocol):
    """One kiosk on one connection."""

    def __init__(self, hall: Hall, kiosk_id: str, token: str) -> None:
        self.hall = hall
        self.kiosk_id = kiosk_id
        self.token = token
        self.cursor, self.mac, self.incarnation, self.rows = 0, "", None, 0
        self.is_current = asyncio.Event()
        self.transport: asyncio.Transport | None = None
        self._parts: list[bytes] = []
        self._missing = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.pull(0.0)

    def pull(self, wait_s: float) -> None:
        """Asks for the next page."""
        assert self.transport is not None
        ask = PullRequest(
            protocol_version=2,
            site_id=self.hall.site_id,
            kiosk_id=self.kiosk_id,
            epoch=1,
            cursor=self.cursor,
            cursor_mac=self.mac,
            server_incarnation=self.incarnation,
            definitions_version=self.hall.definitions_version,
            wait_s=wait_s,
            card_key_id=self.hall.card_key_id,
            rows=ROWS,
        )
        body = msgspec.json.encode(ask)
        head = f"POST /api/v1/sync/pull HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.token}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.transport.write(head.encode() + body)

    def data_received(self, data: bytes) -> None:
        self._parts.append(data)
        if self._missing:
            self._missing -= len(data)
        else:
            self._read_head()
        if self._missing == 0 and self._parts:
            body, self._parts = b"".join(self._parts).partition(b"\r\n\r\n")[2], []
            self.adopt(body)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.hall.is_closing:
            raise SystemExit(f"the centre ended the connection of {self.kiosk_id}: {error}")

    def adopt(self, body: bytes) -> None:
        """Takes over a page, and asks for the next one."""
        found, flags = _HEAD.search(body, 0, 1000), _FLAGS.search(body, 0, 1000)
        if found is None or flags is None:
            raise SystemExit(f"no page: {body[:300]!r}")
        incarnation, begin, end, mac = found.groups()
        is_reset, has_more = (flag == b"true" for flag in flags.groups())
        if not is_reset and int(begin) != self.cursor:
            raise SystemExit(f"{self.kiosk_id} has {self.cursor}, and the page begins at {int(begin)}")
        now_s = time.monotonic()
        for marked in _MARKED.finditer(body) if MARK in body else ():  # a plain search is six times as fast
            self.hall.heard[marked[1].decode()].setdefault(self.kiosk_id, now_s)
        if not self.is_current.is_set():
            self.rows += body.count(b'"masked_name"')
        self.cursor, self.mac, self.incarnation = int(end), mac.decode(), incarnation.decode()
        if not has_more:
            self.is_current.set()
        self.pull(WAIT_S)

    def _read_head(self) -> None:
        head, separator, rest = b"".join(self._parts).partition(b"\r\n\r\n")
        if not separator:
            return
        length = _LENGTH.search(head)
        if not head.startswith(b"HTTP/1.1 200") or length is None:
            raise SystemExit(f"refused: {head!r} {rest[:300]!r}")
        self._missing = int(length[1]) - len(rest)


class Hall:
    """All kiosks of the process."""

    def __init__(self, host: str, port: int, document: dict[str, Any]) -> None:
        self.host, self.port = host, port
        self.site_id: str = document["site_id"]
        self.definitions_version: int = document["definitions_version"]
        self.card_key_id: str = document["card_key_id"]
        self.enrolled: list[list[str]] = document["kiosks"]
        self.heard: defaultdict[str, dict[str, float]] = defaultdict(dict)
        self.is_closing = False
        self._kiosks: list[Kiosk] = []

    async def wait(self, number: int) -> int:
        """Has so many kiosks wait."""
        await self._attend(number)
        return number

    async def begin(self, number: int) -> list[list[float]]:
        """The seconds until each of so many kiosks has the whole roster, and its rows."""
        await self._attend(0)
        began_s = time.monotonic()

        async def whole(kiosk_id: str, token: str) -> list[float]:
            kiosk = await self._connect(kiosk_id, token)
            await kiosk.is_current.wait()
            return [time.monotonic() - began_s, kiosk.rows]

        return await asyncio.gather(*(whole(*each) for each in self.enrolled[:number]))

    async def _attend(self, number: int) -> None:
        self.is_closing = True
        for kiosk in self._kiosks:
            assert kiosk.transport is not None
            kiosk.transport.abort()
        self._kiosks = []
        await asyncio.sleep(0)
        self.is_closing = False
        for each in self.enrolled[:number]:
            kiosk = await self._connect(*each)
            await kiosk.is_current.wait()

    async def _connect(self, kiosk_id: str, token: str) -> Kiosk:
        loop = asyncio.get_running_loop()
        _, kiosk = await loop.create_connection(lambda: Kiosk(self, kiosk_id, token), self.host, self.port)
        self._kiosks.append(kiosk)
        return kiosk


async def serve(hall: Hall) -> None:
    """Follows the commands of the input."""
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command, *number = line.split()
        if command == "heard":
            answer: object = {name: list(times.values()) for name, times in hall.heard.items()}
            hall.heard.clear()
        elif command == "wait":
            answer = await hall.wait(int(number[0]))
        else:
            answer = await hall.begin(int(number[0]))
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    document = json.loads(Path(sys.argv[3]).read_text("utf-8"))
    asyncio.run(serve(Hall(sys.argv[1], int(sys.argv[2]), document)))
