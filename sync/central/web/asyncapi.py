"""The document of the patient's WebSocket in AsyncAPI 3.0, made of the types of its messages."""

from typing import Any

import msgspec

from sync.central.network.headers import JSON
from sync.central.web.openapi import version_of_package
from sync.central.web.schemas import Schemas, unwrapped
from sync.central.web.socket_messages import CLOSE_CODES, SENT, TAKEN

PATH = "/ws/patient-journey/"
_CHANNEL = "patientJourney"
_ABOUT = """\
A patient's socket follows its patient, and a staff socket the patient that ?patient_id= names. Apps send the token as
`Authorization: Bearer …`, browsers as `Sec-WebSocket-Protocol: bearer, <token>` or as the cookie of a session. A
message has 16 KiB at most. A handshake that is refused is answered as a plain request, with the body of an error."""


def asyncapi_document() -> dict[str, Any]:
    """The document of the socket: what the centre sends, what it takes, and how it closes."""
    schemas = Schemas([*SENT, *TAKEN])
    kinds = [*SENT, *TAKEN]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "The patient's socket of nfc-kiosk",
            "version": version_of_package(),
            "description": unwrapped(_ABOUT),
            "license": {"name": "MIT"},
        },
        "defaultContentType": JSON,
        "channels": {
            _CHANNEL: {
                "address": PATH,
                "messages": {kind.__name__: {"$ref": f"#/components/messages/{kind.__name__}"} for kind in kinds},
                "bindings": {"ws": {"method": "GET", "query": _query()}},
                "x-close-codes": msgspec.to_builtins(CLOSE_CODES),
            }
        },
        "operations": {"tell": _operation("send", SENT), "take": _operation("receive", TAKEN)},
        "components": {
            "messages": {kind.__name__: {"name": _name(kind), "payload": schemas.of(kind)} for kind in kinds},
            "schemas": schemas.components,
        },
    }


def _query() -> dict[str, Any]:
    schema = {"type": "string", "description": "The patient whom a staff socket follows."}
    return {"type": "object", "properties": {"patient_id": schema}}


def _operation(action: str, kinds: tuple[type[msgspec.Struct], ...]) -> dict[str, Any]:
    channel = f"#/channels/{_CHANNEL}"
    messages = [{"$ref": f"{channel}/messages/{kind.__name__}"} for kind in kinds]
    return {"action": action, "channel": {"$ref": channel}, "messages": messages}


def _name(kind: Any) -> str:
    return str(kind.__struct_config__.tag)
