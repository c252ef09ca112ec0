"""What is the same in the conversation of every WebSocket: its bearer, who may end at any time, and its commands.

A conversation does one thing at a time, and holds no thread in between.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from typing import Any

import msgspec
from msgspec.structs import replace

from sync.central.centre import Centre
from sync.central.records.tokens import Bearer
from sync.central.services.authentication import authenticate, refresh
from sync.central.services.door import let_out
from sync.central.services.errors import ApiError, error_body
from sync.central.services.told import AboutNobody, Telling
from sync.central.store.news import NewsItem
from sync.central.web.endpoints import requester_of
from sync.central.web.handshake import Opening, refuse
from sync.central.web.http import decode
from sync.central.web.socket_messages import ErrorMessage, Pong, Renewed
from sync.journey.model import Role

_CHECK_EVERY_S = 30.0  # a clock that was set is noticed within this time
_NO_LONGER_VALID = ApiError("unauthorized", "the token is no longer valid")
_OTHER_BEARER = ApiError("forbidden", "The token is of another bearer than the socket's.")
_UNKNOWN_COMMAND = ApiError("unknown_command", "The message names no known command.")
Command = Callable[[Any, dict[str, Any]], None]


class BearerConversation(ABC):
    """One socket of one bearer. `subject` is the patient whom it is about, where it is about one."""

    roles: Collection[Role]
    commands: Mapping[str, Command]

    def __init__(self, centre: Centre, opening: Opening, subject: str | None = None) -> None:
        self.centre = centre
        self.socket = opening.socket
        self.sender = opening.sender
        self.subject = subject
        self.requester = requester_of(opening.sender, "websocket")
        self._session_hash = opening.session_hash
        self._leave = opening.leave
        self._listening = ExitStack()

    @abstractmethod
    def opened(self) -> None:
        """Listens, and tells how everything is."""

    @abstractmethod
    def woken(self) -> None:
        """Tells what is new."""

    @abstractmethod
    def take_news(self, item: NewsItem) -> None:
        """Notes news of a topic. Called by the thread that has committed them, so it does not wait."""

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics of the news that concern the socket: its token, its session, and its patient."""
        return (self.sender.token_hash, *filter(None, (self._session_hash, self.subject)))

    def received(self, text: bytes) -> None:
        """Answers a message. Its sender's token is checked first."""
        if self.is_valid():
            self._answer(decode(text))

    def ended(self) -> None:
        """Hears of no more news, and gives its place back."""
        self._listening.close()
        self._leave()

    def listen(self) -> None:
        """Has `take_news` called from now on, and the token checked in time."""
        for topic in self.topics:
            self._listening.enter_context(self.centre.store.news.listen(topic, self.take_news))
        self.check_in_time()

    def is_valid(self) -> bool:
        """Whether the token is still valid; the socket is closed where it is not. Follows merges of records."""
        topics = self.topics
        sender, self.subject = refresh(self.centre, self.sender, self.subject, self._session_hash)
        self.sender = sender or self.sender
        if sender is None:
            refuse(self.socket, _NO_LONGER_VALID)
            return False
        if self.topics != topics:
            self._listening.close()
            self.opened()
        return True

    def has_time(self) -> bool:
        """Whether the token has not ended by itself, as far as the socket knows. A press since may have put it off."""
        ends_ms = self.sender.ends_ms
        return ends_ms is None or self.centre.clock() < ends_ms

    def check_in_time(self) -> None:
        """Has the conversation woken when the token is to be checked next: when it ends by itself, at the latest."""
        self.socket.wake_within(self.patience_s())

    def patience_s(self) -> float:
        """The seconds after which the token is to be checked."""
        ends_ms = self.sender.ends_ms
        left_s = _CHECK_EVERY_S if ends_ms is None else (ends_ms - self.centre.clock()) / 1000
        return min(_CHECK_EVERY_S, max(left_s, 0.0))

    def pong(self, _: dict[str, Any]) -> None:
        """Answers a ping."""
        self.tell(AboutNobody(Pong()))

    def renew(self, document: dict[str, Any]) -> None:
        """Goes on with a newer token of the same bearer, whose first use this may be."""
        token = document.get("token")
        address = self.requester.address
        found = authenticate(self.centre, token if isinstance(token, str) else None, self.roles, address)
        if isinstance(found, Bearer) and _whose(found) != _whose(self.sender):
            found = _OTHER_BEARER
        if isinstance(found, ApiError):
            self.send_error(found)
            return
        self._listening.close()
        self.sender, self._session_hash = found, None
        self.requester = replace(self.requester, who=found.who)
        self.listen()
        self.tell(AboutNobody(Renewed()))

    def send_error(self, error: ApiError) -> None:
        """Says what was wrong with a message."""
        self.tell(AboutNobody(ErrorMessage(**msgspec.structs.asdict(error_body(error)))))

    def tell(self, message: Telling, stands_for: str = "") -> None:
        """Sends a message. The newest is enough of those with the same `stands_for`."""
        self.socket.send(let_out(self.centre, self.requester, message).decode(), stands_for)

    def _answer(self, document: Any) -> None:
        if isinstance(document, ApiError):
            self.send_error(document)
            return
        name = document.get("command") if isinstance(document, dict) else None
        command = self.commands.get(name) if isinstance(name, str) else None
        if command is None:
            self.send_error(_UNKNOWN_COMMAND)
        else:
            command(self, document)


def _whose(bearer: Bearer) -> tuple[Role, str | None, str | None, str]:
    return bearer.role, bearer.patient_id, bearer.account_id, bearer.name
