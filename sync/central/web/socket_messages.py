"""The messages of the patient's WebSocket, and the codes with which it closes."""

from typing import Any, Literal

import msgspec

from sync.central.services.bodies import PerformAction
from sync.central.services.current_state import CurrentState
from sync.central.services.errors import ErrorBody


class UpdatedState(CurrentState, frozen=True):
    """The whole state, and the action that led to it."""

    action: str | None = None


class InitialState(msgspec.Struct, frozen=True, tag_field="type", tag="initial_state"):
    """The patient's state: on connect, for `fetch_initial_state`, and after a merge into another record."""

    payload: CurrentState


class StateUpdate(msgspec.Struct, frozen=True, tag_field="type", tag="state_update"):
    """The patient's state after a change over any channel. Several changes at once may come as one message."""

    payload: UpdatedState
    action_id: str | None


class ActionDone(msgspec.Struct, frozen=True, tag_field="type", tag="action_result"):
    """The answer to `perform_action`: it was done, and this is the state after it."""

    payload: CurrentState
    action_id: str
    success: Literal[True] = True


class ActionRefused(ErrorBody, frozen=True, kw_only=True, tag_field="type", tag="action_result"):
    """The answer to `perform_action`: it was refused. `action_id` is the one that came, of whatever form.

    `payload` is the patient's state now; null where no patient is concerned, or the database cannot be read.
    """

    action_id: Any
    payload: CurrentState | None = None
    success: Literal[False] = False


class Pong(msgspec.Struct, frozen=True, tag_field="type", tag="pong"):
    """The answer to `ping`."""


class Renewed(msgspec.Struct, frozen=True, tag_field="type", tag="renewed"):
    """The answer to `renew`: the socket goes on with the newer token."""


class ErrorMessage(ErrorBody, frozen=True, tag_field="type", tag="error"):
    """The message of the client was no command, or its patient is not to be had."""


class Ping(msgspec.Struct, frozen=True, tag_field="command", tag="ping"):
    """Asks for a `pong`: every 30 seconds."""


class FetchInitialState(msgspec.Struct, frozen=True, tag_field="command", tag="fetch_initial_state"):
    """Asks for the state. Staff name the patient."""

    patient_id: str | None = None


class PerformCommand(PerformAction, frozen=True, kw_only=True, tag_field="command", tag="perform_action"):
    """Does an action, as over HTTP. Staff name the patient in the payload."""


class Renew(msgspec.Struct, frozen=True, tag_field="command", tag="renew"):
    """Goes on with a newer token of the same bearer."""

    token: str


SENT = (InitialState, StateUpdate, ActionDone, ActionRefused, Pong, Renewed, ErrorMessage)
TAKEN = (Ping, FetchInitialState, PerformCommand, Renew)


class CloseCode(msgspec.Struct, frozen=True):
    """A code with which a socket closes: when, and what a client does then."""

    code: int
    when: str
    client: str


_AGAIN, _MENDS = "Reconnects with backoff.", "Mends its own fault."
CLOSE_CODES = (
    CloseCode(1000, "The client has closed, with any code.", "Nothing."),
    CloseCode(1001, "The service stops.", _AGAIN),
    CloseCode(1002, "A frame breaks RFC 6455.", _MENDS),
    CloseCode(1006, "The connection was cut, or the client answered no ping. No code came.", _AGAIN),
    CloseCode(1007, "A text is not UTF-8.", _MENDS),
    CloseCode(1009, "A message has more than 16 KiB.", _MENDS),
    CloseCode(1011, "The centre failed; its log says more.", _AGAIN),
    CloseCode(1013, "The centre cannot answer now.", "Uses plain requests, and reconnects with backoff."),
    CloseCode(
        4401,
        "There is no token, or it is unknown, revoked or expired, or its visit is over.",
        "Gets another token first.",
    ),
    CloseCode(4404, "The kiosk of the visit has not told the hospital of it yet.", _AGAIN),
    CloseCode(4403, "The token is a kiosk's, or a patient's token names another patient.", "Does not try again."),
)
