"""The handshake of a WebSocket of the centre: who opens it, and whether there is room."""

from collections.abc import Callable, Collection
from typing import TypeVar

import msgspec
from flask import Response, request

from sync.central.centre import Centre
from sync.central.records.tokens import Bearer
from sync.central.services.errors import ApiError
from sync.central.web.http import no_response, respond_error
from sync.central.web.origins import FOREIGN_ORIGIN, Origins
from sync.central.web.senders import socket_sender
from sync.central.web.socket_offer import Conversation, OpenSocket, offer_of, subprotocol_of
from sync.central.web.socket_places import SocketPlaces
from sync.journey.model import Role

# Close codes for private use (RFC 6455, 7.4.2), by the code of the error: 4000 and the HTTP status.
_CLOSE_CODES = {"unauthorized": 4401, "visit_ended": 4401, "forbidden": 4403, "visit_unknown": 4404}
_FULL = ApiError("busy", "Too many sockets are open; use plain requests for now.")
_NO_HANDSHAKE = ApiError("malformed", "This is no WebSocket handshake.")


class Opening(msgspec.Struct, frozen=True):
    """A socket that is about to open, with the bearer who opens it.

    `session_hash` is that of the session in the cookie; None where a token came. `leave` gives the place back.
    """

    socket: OpenSocket
    sender: Bearer
    session_hash: str | None
    leave: Callable[[], None]


S = TypeVar("S")


class Handshakes:
    """The handshakes of a worker. A page of another site is refused before the handshake (RFC 6455, 10.2)."""

    def __init__(self, centre: Centre, places: SocketPlaces, origins: Origins) -> None:
        self._centre = centre
        self._places = places
        self._origins = origins

    def answer(
        self,
        roles: Collection[Role],
        find_subject: Callable[[Bearer], S | ApiError],
        converse: Callable[[Opening, S], Conversation],
    ) -> Response:
        """The response to the present request, of a bearer of one of these roles.

        `find_subject` returns what the socket is about, or why the bearer may not open it.
        """
        offer = offer_of(request.environ)
        if offer is None:
            return respond_error(_NO_HANDSHAKE)
        sender, session_hash = socket_sender(self._centre, self._origins, roles)
        if sender is FOREIGN_ORIGIN:
            return respond_error(FOREIGN_ORIGIN)
        found = self._conversation(offer.socket, sender, session_hash, find_subject, converse)
        if isinstance(found, ApiError):
            return respond_error(found)
        offer.accept(found, subprotocol_of(request.environ, "bearer"))
        return no_response()

    def _conversation(
        self,
        socket: OpenSocket,
        sender: Bearer | ApiError,
        session_hash: str | None,
        find_subject: Callable[[Bearer], S | ApiError],
        converse: Callable[[Opening, S], Conversation],
    ) -> Conversation | ApiError:
        # Only a close code reaches a browser's script; the status of a refused handshake does not.
        if isinstance(sender, ApiError):
            return _Refused(socket, sender)
        subject = find_subject(sender)
        if isinstance(subject, ApiError):
            return _Refused(socket, subject)
        leave = self._places.take(sender.token_hash)
        return _FULL if leave is None else converse(Opening(socket, sender, session_hash, leave), subject)


class _Refused:
    """A socket that is closed at once, since its token is not valid for it."""

    def __init__(self, socket: OpenSocket, error: ApiError) -> None:
        self._socket = socket
        self._error = error

    def opened(self) -> None:
        """Says why."""
        refuse(self._socket, self._error)

    def received(self, text: bytes) -> None:
        """Is not answered."""

    def woken(self) -> None:
        """Does not happen."""

    def ended(self) -> None:
        """Holds nothing."""


def refuse(socket: OpenSocket, error: ApiError) -> None:
    """Closes a socket with the code of an error."""
    socket.close(_CLOSE_CODES[error.code], error.code)
