"""What gateway and worker say to each other: frames over a Unix socket pair, each a length and a msgpack document.

The number of a call is the gateway's. A WebSocket keeps the number of the call that opened it.

A worker that starts says `Opened` or `NotOpened`. It waits for `Begin`, and says `Ready`.
"""

import socket
import struct
from collections.abc import Iterator, Sequence

import msgspec

from sync.central.metrics.counts import Count
from sync.central.network.web_settings import WebSettings

Headers = list[tuple[bytes, bytes]]
_LENGTH = struct.Struct(">I")
LENGTH_SIZE = _LENGTH.size


class Call(msgspec.Struct, tag="call", array_like=True, frozen=True, gc=False):
    """A request, whole. `target` is path and query as they were sent.

    `announced` is the size of a body that was too large to be read; 0 for a body that is there. `is_socket`: the client
    asks for a WebSocket. `peer` is the address of the connection, `scheme` http or https, `port` the service's own.
    `is_upload`: the body comes in parts, each after a `Want`.
    """

    number: int
    method: str
    target: str
    headers: Headers
    body: bytes
    announced: int
    is_socket: bool
    peer: str
    scheme: str
    port: int
    is_upload: bool = False


class Part(msgspec.Struct, tag="part", array_like=True, frozen=True, gc=False):
    """The next part of an upload; empty at its end. `is_broken`: the client has left, or is too slow."""

    number: int
    content: bytes
    is_broken: bool


class Message(msgspec.Struct, tag="message", array_like=True, frozen=True, gc=False):
    """A message of a WebSocket's client. The next one follows once the worker has taken it."""

    number: int
    text: bytes


class Gone(msgspec.Struct, tag="gone", array_like=True, frozen=True, gc=False):
    """The client of a call or of a WebSocket has left."""

    number: int


class Begin(msgspec.Struct, tag="begin", array_like=True, frozen=True, gc=False):
    """The worker may serve, by these settings. With `proxies_only`, it answers other machines through proxies alone."""

    web: WebSettings = WebSettings()
    proxies_only: bool = False


class Opened(msgspec.Struct, tag="opened", array_like=True, frozen=True, gc=False):
    """The worker has its database open, in the state with the id `incarnation`.

    `web` are the options of the command, and the stored settings for the rest.
    """

    web: WebSettings
    incarnation: str = ""


class NotOpened(msgspec.Struct, tag="not_opened", array_like=True, frozen=True, gc=False):
    """The worker cannot serve, and ends. The reason is for the operator."""

    reason: str


class Ready(msgspec.Struct, tag="ready", array_like=True, frozen=True, gc=False):
    """The worker answers from now on."""


class Ending(msgspec.Struct, tag="ending", array_like=True, frozen=True, gc=False):
    """The worker is about to end, and takes what was handed over until the gateway ends the link."""


class Answer(msgspec.Struct, tag="answer", array_like=True, frozen=True, gc=False):
    """The response to a call. With `has_rest`, the last `Rest` before it is the end of its body.

    `counts` are what the worker has counted since the last answer.
    """

    number: int
    status: int
    headers: Headers
    body: bytes
    has_rest: bool = False
    counts: Sequence[Count] = ()


class Rest(msgspec.Struct, tag="rest", array_like=True, frozen=True, gc=False):
    """The end of the bodies of answers that follow it, until the next one. What many are told crosses once."""

    content: bytes


class Want(msgspec.Struct, tag="want", array_like=True, frozen=True, gc=False):
    """The worker wants the next part of an upload."""

    number: int


class Parked(msgspec.Struct, tag="parked", array_like=True, frozen=True, gc=False):
    """A call waits for news, and takes up nothing meanwhile."""

    number: int


class Accept(msgspec.Struct, tag="accept", array_like=True, frozen=True, gc=False):
    """A WebSocket opens."""

    number: int
    subprotocol: str | None


class Send(msgspec.Struct, tag="send", array_like=True, frozen=True, gc=False):
    """A message to a WebSocket. A newer message with the same `stands_for` takes the place of one that still waits."""

    number: int
    text: str
    stands_for: str


class Taken(msgspec.Struct, tag="taken", array_like=True, frozen=True, gc=False):
    """The worker has answered the last message of a WebSocket."""

    number: int


class Close(msgspec.Struct, tag="close", array_like=True, frozen=True, gc=False):
    """A WebSocket ends, after what was sent to it."""

    number: int
    code: int
    reason: str


class Counted(msgspec.Struct, tag="counted", array_like=True, frozen=True, gc=False):
    """What the worker has counted for a message of a WebSocket. It comes before the answer to that."""

    counts: Sequence[Count]


ToWorker = Begin | Call | Part | Message | Gone
ToGateway = (
    Opened | NotOpened | Ready | Ending | Answer | Rest | Want | Parked | Accept | Send | Taken | Close | Counted
)

_encoder = msgspec.msgpack.Encoder()
decode_for_worker = msgspec.msgpack.Decoder(ToWorker).decode
decode_for_gateway = msgspec.msgpack.Decoder(ToGateway).decode


def encode(frame: ToWorker | ToGateway) -> bytes:
    """The frame with its length before it."""
    document = _encoder.encode(frame)
    return _LENGTH.pack(len(document)) + document


def length_of(head: bytes) -> int:
    """The length of the document that follows `LENGTH_SIZE` bytes."""
    return int(_LENGTH.unpack(head)[0])


def read_document(link: socket.socket) -> bytes:
    """The next document of a link that blocks; empty at its end. Raises OSError."""
    head = link.recv(LENGTH_SIZE, socket.MSG_WAITALL)
    return link.recv(length_of(head), socket.MSG_WAITALL) if len(head) == LENGTH_SIZE else b""


def take_documents(buffer: bytearray) -> Iterator[bytes]:
    """Removes and returns the whole documents at the beginning of a buffer."""
    begin = 0
    while len(buffer) - begin >= LENGTH_SIZE:
        end = begin + LENGTH_SIZE + _LENGTH.unpack_from(buffer, begin)[0]
        if len(buffer) < end:
            break
        yield bytes(buffer[begin + LENGTH_SIZE : end])
        begin = end
    del buffer[:begin]
