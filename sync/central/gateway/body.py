"""The body of a request: whole, within its time, and no larger than any application takes."""

import asyncio
from dataclasses import dataclass

from aiohttp import web

MAX_BODY = 512 * 1024  # bytes; the application's own limits are lower
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Body:
    """What came. `announced` is the size of a body that was too large to be kept, in bytes; else 0."""

    content: bytes = b""
    announced: int = 0


def most_bytes(request: web.BaseRequest) -> int:
    """The most that is kept of the body of a request, in bytes."""
    if not request.body_exists:
        return 0
    size = request.content_length
    return MAX_BODY if size is None else size if size <= MAX_BODY else 0


async def read_body(request: web.BaseRequest, patience_s: float, bytes_a_second: float) -> Body | None:
    """The body of a request; None where it does not come in time. A large one has more time than a small one."""
    if not request.body_exists:
        return Body()
    size = request.content_length
    if size is not None and size > MAX_BODY:
        return Body(announced=size)
    if size is not None and request.content.is_eof():  # it came with its head, as most do
        return Body(request.content.read_nowait())
    await invite(request)
    try:
        async with asyncio.timeout(patience_s + (size or MAX_BODY) / bytes_a_second):
            return await _read(request)
    except TimeoutError:
        return None


async def invite(request: web.BaseRequest) -> None:
    """Lets a client send its body that waits for leave."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(_CONTINUE)
        request.writer.output_size = 0  # of the response, which begins after it


async def _read(request: web.BaseRequest) -> Body:
    parts, length = [], 0
    async for part in request.content.iter_any():
        parts.append(part)
        length += len(part)
        if length > MAX_BODY:
            return Body(announced=length)
    return Body(b"".join(parts))
