"""The worker's answers as responses. A large one leaves piece by piece, so that a thousand of them take no memory."""

from collections.abc import Iterator

from aiohttp import web

from sync.central.gateway.link import Told
from sync.central.gateway.refusals import own_headers
from sync.central.network.headers import NO_STORE, SECURITY
from sync.metrics import MEDIA

PIECE = 32 * 1024  # bytes; what a client has not taken yet is copied for it
_OF_CONNECTION = frozenset({b"content-length", b"connection"})


def response(told: Told) -> web.StreamResponse:
    """The response to a request that the worker has answered."""
    answer = told.answer
    size = len(answer.body) + len(told.rest)
    made: web.StreamResponse
    if size > PIECE:
        made = _Large(answer.status, (answer.body, told.rest))
        made.content_length = size
    else:
        made = web.Response(body=answer.body + told.rest, status=answer.status)
    made.headers.update(own_headers())
    for name, value in answer.headers:
        if name.lower() not in _OF_CONNECTION:
            made.headers.add(name.decode("latin-1"), value.decode("latin-1"))
        elif value.lower() == b"close":
            made.force_close()
    return made


def metrics(exposition: bytes) -> web.Response:
    """The response with the gateway's own metrics."""
    headers = own_headers() | dict((*SECURITY, NO_STORE)) | {"Content-Type": MEDIA}
    return web.Response(body=exposition, headers=headers)


class _Large(web.StreamResponse):
    """A response whose next piece leaves once its client has taken the ones before."""

    def __init__(self, status: int, parts: tuple[bytes, ...]) -> None:
        super().__init__(status=status)
        self._parts = parts

    async def write_eof(self, data: bytes = b"") -> None:
        """Sends the body."""
        parts, self._parts = self._parts, ()
        for piece in _pieces(parts):
            await self.write(piece)
        await super().write_eof(data)


def _pieces(parts: tuple[bytes, ...]) -> Iterator[memoryview]:
    for part in parts:
        whole = memoryview(part)
        for begin in range(0, len(whole), PIECE):
            yield whole[begin : begin + PIECE]
