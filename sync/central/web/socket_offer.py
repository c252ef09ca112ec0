"""A WebSocket as a view sees it: the server offers to open one, and holds it while its conversation goes on elsewhere.

The server calls a conversation for one thing at a time. A conversation holds no thread in between.
"""

import base64
from collections.abc import Mapping
from typing import Any, Protocol

OFFER = "sync.socket"  # the name in the environ
GOING_AWAY, INTERNAL_ERROR, TRY_AGAIN_LATER = 1001, 1011, 1013  # RFC 6455, 7.4.1, and its registry at IANA


class OpenSocket(Protocol):
    """A WebSocket that is open, or about to be. Its functions may be called from any thread, and wait for nothing."""

    def send(self, text: str, stands_for: str = "") -> None:
        """Sends a message, in the order of the calls. Raises nothing where the client has left.

        A message that still waits for its client gives way to a newer one with the same `stands_for`.
        """

    def close(self, code: int, reason: str = "") -> None:
        """Closes the socket after what was sent before. The conversation ends."""

    def wake(self) -> None:
        """Has the conversation's `woken` called soon."""

    def wake_within(self, seconds: float) -> None:
        """Has it called after that time, to the second. A later call takes the place of an earlier one."""


class Conversation(Protocol):
    """What is said over one WebSocket."""

    def opened(self) -> None:
        """The socket is open."""

    def received(self, text: bytes) -> None:
        """A message of the client. The next one is not read before the return."""

    def woken(self) -> None:
        """Somebody has called `wake`, once or several times."""

    def ended(self) -> None:
        """The client has left, or the socket was closed. Nothing else is called afterwards."""


class SocketOffer(Protocol):
    """What a server offers to a request for a WebSocket."""

    @property
    def socket(self) -> OpenSocket:
        """The socket as it is once the offer is accepted."""

    def accept(self, conversation: Conversation, subprotocol: str | None) -> None:
        """Opens the socket. The view's response is dropped then."""


def offer_of(environ: Mapping[str, Any]) -> SocketOffer | None:
    """The offer to open a WebSocket; None for a request that asks for none."""
    offer: SocketOffer | None = environ.get(OFFER)
    return offer if offer is not None and _is_handshake(environ) else None


def subprotocol_of(environ: Mapping[str, Any], known: str) -> str | None:
    """The known subprotocol where the client names it; None where it does not."""
    named = (each.strip() for each in environ.get("HTTP_SEC_WEBSOCKET_PROTOCOL", "").split(","))
    return known if known in named else None


def _is_handshake(environ: Mapping[str, Any]) -> bool:
    """Whether version and key are those of RFC 6455, 4.2.1."""
    try:
        key = base64.b64decode(environ.get("HTTP_SEC_WEBSOCKET_KEY", ""), validate=True)
    except ValueError:
        return False
    is_upgrade = "upgrade" in environ.get("HTTP_CONNECTION", "").lower()
    return is_upgrade and environ.get("HTTP_SEC_WEBSOCKET_VERSION") == "13" and len(key) == 16
