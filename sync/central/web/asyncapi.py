"""The document of the WebSockets in AsyncAPI 3.0, made of the types of their messages."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from sync.central.network.headers import JSON
from sync.central.web.board_messages import BOARD_SENT, BOARD_TAKEN
from sync.central.web.inbox_messages import INBOX_SENT, INBOX_TAKEN
from sync.central.web.openapi import version_of_package
from sync.central.web.schemas import Schemas, unwrapped
from sync.central.web.socket_messages import CLOSE_CODES, SENT, TAKEN

PATH = "/ws/patient-journey/"
BOARD_PATH = "/ws/board/"
INBOX_PATH = "/ws/inbox/"
_ABOUT = """\
A patient's socket follows its patient, and a staff socket the patient that ?patient_id= names. The socket of a board
follows the lines of the exams that ?exams= names, parted by commas, or of all exams. That of the exception
inbox says which cases have changed and who has one open. Apps send the token as
`Authorization: Bearer …`, browsers as `Sec-WebSocket-Protocol: bearer, <token>` or as the cookie of a session. A
message to the centre has 16 KiB at most. A handshake that is refused is answered as a plain request, with the body of
an error."""


@dataclass(frozen=True, slots=True)
class _Channel:
    """One socket: its name and path, its query, and the messages in both directions with the names of their parts."""

    name: str
    path: str
    query: Mapping[str, str]
    tell: str
    sent: tuple[Any, ...]
    take: str
    taken: tuple[Any, ...]

    @property
    def kinds(self) -> tuple[Any, ...]:
        return (*self.sent, *self.taken)


_CHANNELS = (
    _Channel(
        "patientJourney",
        PATH,
        {"patient_id": "The patient whom a staff socket follows."},
        "tell",
        SENT,
        "take",
        TAKEN,
    ),
    _Channel(
        "board",
        BOARD_PATH,
        {"exams": "The ids of the exams whose lines it follows, parted by commas."},
        "tellBoard",
        BOARD_SENT,
        "takeBoard",
        BOARD_TAKEN,
    ),
    _Channel("inbox", INBOX_PATH, {}, "tellInbox", INBOX_SENT, "takeInbox", INBOX_TAKEN),
)


def asyncapi_document() -> dict[str, Any]:
    """The document of the sockets: what the centre sends, what it takes, and how they close."""
    kinds = list(dict.fromkeys(kind for channel in _CHANNELS for kind in channel.kinds))
    schemas = Schemas(kinds)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "The sockets of nfc-kiosk",
            "version": version_of_package(),
            "description": unwrapped(_ABOUT),
            "license": {"name": "MIT"},
        },
        "defaultContentType": JSON,
        "channels": {channel.name: _channel(channel) for channel in _CHANNELS},
        "operations": {
            name: operation
            for channel in _CHANNELS
            for name, operation in (
                (channel.tell, _operation("send", channel, channel.sent)),
                (channel.take, _operation("receive", channel, channel.taken)),
            )
        },
        "components": {
            "messages": {kind.__name__: {"name": _name(kind), "payload": schemas.of(kind)} for kind in kinds},
            "schemas": schemas.components,
        },
    }


def _channel(channel: _Channel) -> dict[str, Any]:
    members = {name: {"type": "string", "description": about} for name, about in channel.query.items()}
    return {
        "address": channel.path,
        "messages": {kind.__name__: {"$ref": f"#/components/messages/{kind.__name__}"} for kind in channel.kinds},
        "bindings": {"ws": {"method": "GET", "query": {"type": "object", "properties": members}}},
        "x-close-codes": msgspec.to_builtins(CLOSE_CODES),
    }


def _operation(action: str, channel: _Channel, kinds: tuple[Any, ...]) -> dict[str, Any]:
    place = f"#/channels/{channel.name}"
    messages = [{"$ref": f"{place}/messages/{kind.__name__}"} for kind in kinds]
    return {"action": action, "channel": {"$ref": place}, "messages": messages}


def _name(kind: Any) -> str:
    return str(kind.__struct_config__.tag)
