"""The one door by which answers leave the centre. It notes who is told of whom before anything leaves.

The web, the patient's socket, the kiosks' wire and the commands send only what comes from here. An answer about a
patient without a note cannot be made: `Outgoing` is made in this file alone, which a test holds.
"""

import base64
from typing import Any, NewType

import msgspec

from sync.central.centre import Centre
from sync.central.services.access_log import record
from sync.central.services.errors import ApiError, error_body
from sync.central.services.requester import Requester
from sync.central.services.told import AboutNobody, Telling, Told
from sync.protocol import Sealed

Outgoing = NewType("Outgoing", bytes)


def let_out(centre: Centre, requester: Requester, telling: Telling) -> Outgoing:
    """What a use case tells, as JSON, noted before it is returned.

    Raises sqlite3.OperationalError where a look of staff cannot be recorded, and TypeError for a value that does not
    say whose data it holds.
    """
    body, members = let_out_in_two(centre, requester, telling)
    return Outgoing(body + members)


def let_out_in_two(centre: Centre, requester: Requester, telling: Telling) -> tuple[Outgoing, Outgoing]:
    """As `let_out`: what is told to this requester alone, and the bytes after it that others get too, or none."""
    body = msgspec.json.encode(_value(telling))
    _note(centre, requester, telling)
    if isinstance(telling, Told) and telling.members:
        return Outgoing(body[:-1] + b","), Outgoing(telling.members)
    return Outgoing(body), Outgoing(b"")


def hand_over(centre: Centre, requester: Requester, telling: Telling) -> Any:
    """What a use case tells as plain values, for a command, noted as in `let_out`. Raises as that does."""
    value = msgspec.to_builtins(_value(telling))
    _note(centre, requester, telling)
    return value


def publish(telling: AboutNobody) -> Outgoing:
    """What is about nobody, for anybody."""
    return Outgoing(msgspec.json.encode(telling.value))


def publish_text(text: str) -> Outgoing:
    """A text about nobody, such as a page that holds no data, for anybody."""
    return Outgoing(text.encode())


def say(error: ApiError) -> Outgoing:
    """An error without a patient's state, for anybody."""
    return Outgoing(msgspec.json.encode(error_body(error)))


def seal(body: Outgoing) -> Outgoing:
    """A body in a form that no proxy of the network reads or changes."""
    return Outgoing(msgspec.json.encode(Sealed(base64.b64encode(body).decode())))


def _value(telling: Telling) -> object:
    if not isinstance(telling, Told | AboutNobody):
        raise TypeError(f"a {type(telling).__name__} does not say whose data it holds")
    return telling.value


def _note(centre: Centre, requester: Requester, telling: Telling) -> None:
    if isinstance(telling, Told):
        record(centre, requester, telling)
