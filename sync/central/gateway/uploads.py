"""The bodies that a worker takes part by part, since they are too large to be kept: documents of the hospital.

The worker asks for each part, so it has looked at the token before it asks for the first, and neither end keeps more
than one part.
"""

import asyncio
import logging

from aiohttp import ClientError, web
from aiohttp.http import HttpProcessingError

from sync.central.frames import Part, ToGateway, Want
from sync.central.gateway.body import invite
from sync.central.gateway.link import Link

log = logging.getLogger(__name__)

PATHS = frozenset({"/api/v1/import", "/api/v1/import/"})


def is_upload(request: web.BaseRequest) -> bool:
    """Whether a request has a body that its worker takes part by part."""
    return request.method == "POST" and request.path in PATHS and request.body_exists


class Uploads:
    """The uploads under way, by the number of the call."""

    def __init__(self, patience_s: float, bytes_a_second: float) -> None:
        self._patience_s = patience_s
        self._bytes_a_second = bytes_a_second
        self._open: dict[int, _Upload] = {}

    def open(self, number: int, request: web.BaseRequest, link: Link) -> None:
        """An upload begins."""
        self._open[number] = _Upload(number, request, link, self._patience_s, self._bytes_a_second)

    def forget(self, number: int) -> None:
        """Its call has ended."""
        if (found := self._open.pop(number, None)) is not None:
            found.end()

    def take(self, frame: ToGateway) -> None:
        """What a worker asks for. Without effect where the client has left."""
        if isinstance(frame, Want) and (found := self._open.get(frame.number)) is not None:
            found.send_part()


class _Upload:
    """One body. A client that sends less than the least pace is taken for one that has left."""

    def __init__(
        self, number: int, request: web.BaseRequest, link: Link, patience_s: float, bytes_a_second: float
    ) -> None:
        self._number = number
        self._request = request
        self._link = link
        self._begin_s = asyncio.get_running_loop().time()
        self._patience_s = patience_s
        self._bytes_a_second = bytes_a_second
        self._received = 0
        self._task: asyncio.Task[None] | None = None

    def send_part(self) -> None:
        """Sends the next part, once it has come."""
        self._task = asyncio.get_running_loop().create_task(self._send_part())

    def end(self) -> None:
        """Reads no more."""
        if self._task is not None:
            self._task.cancel()

    async def _send_part(self) -> None:
        part, is_broken = b"", True
        try:
            if not self._received:
                await invite(self._request)
            due_s = self._begin_s + self._patience_s + self._received / self._bytes_a_second
            async with asyncio.timeout_at(due_s):
                part = await self._request.content.readany()
            is_broken = False
        except (OSError, TimeoutError, web.RequestPayloadError, ClientError, HttpProcessingError):
            log.debug("the client of an upload has left")
        finally:
            self._received += len(part)
            self._link.send(Part(self._number, part, is_broken))
