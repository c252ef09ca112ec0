"""The messages between the page and the daemon: those of the centre's WebSocket, also used over HTTP."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from kiosk.front.counter import PressResult
from kiosk.front.offer import Press
from kiosk.front.screen import Screen
from sync.ids import is_uuid
from sync.journey.proof import MAX_PROOF

FAILED = "the kiosk could not do that"  # the daemon failed; its log has the reason
MAX_BYTES = 16 * 1024  # the limit of a request body and of a WebSocket message

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Word = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class Malformed(msgspec.Struct, frozen=True):
    """The data is no message; `error` says why, in English."""

    error: str
    code: str = "malformed"


class Target(msgspec.Struct, frozen=True):
    """The patient that an action is for. A payment terminal's program also names the receipt."""

    patient_id: Id
    receipt_id: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_PROOF)] | None = None

    @property
    def own_data(self) -> dict[str, Any]:
        """The payload of the action, as the centre gets it."""
        return {} if self.receipt_id is None else {"receipt_id": self.receipt_id}


class PressRequest(msgspec.Struct, frozen=True, tag_field="command", tag="perform_action"):
    """An answer to the offer that was under the finger, for the person who was on the screen then.

    A payment terminal's program knows of no offer. `action_id` is a UUID made at the press; a repeat has the same one.
    """

    action_type: Word
    payload: Target
    offer: Id | None = None
    action_id: str | None = None

    @property
    def press(self) -> Press:
        """The press as the counter takes it."""
        target = self.payload
        return Press(self.offer, target.patient_id, self.action_type, self.action_id, target.own_data)


class CardRequest(msgspec.Struct, frozen=True):
    """A demo card to hold to the simulated reader: its UID in hex."""

    uid: Word


class FetchInitialState(msgspec.Struct, frozen=True, tag_field="command", tag="fetch_initial_state"):
    """The page asks for the whole screen."""


class Keep(msgspec.Struct, frozen=True, tag_field="command", tag="keep"):
    """The person of a stay asks for more time."""

    stay: Id


class Leave(msgspec.Struct, frozen=True, tag_field="command", tag="leave"):
    """The person of a stay is done."""

    stay: Id


class Touch(msgspec.Struct, frozen=True, tag_field="command", tag="touch"):
    """The person of a stay has touched the glass."""

    stay: Id


class SetPace(msgspec.Struct, frozen=True, tag_field="command", tag="pace"):
    """The person of a stay needs more time for everything, or the usual time."""

    stay: Id
    slow: bool


PersonCommand = Keep | Leave | Touch | SetPace


class Ping(msgspec.Struct, frozen=True, tag_field="command", tag="ping"):
    """The page checks whether the daemon answers."""


Command = PressRequest | FetchInitialState | PersonCommand | Ping


PERSON_COMMANDS: Mapping[str, type[PersonCommand]] = {"keep": Keep, "leave": Leave, "touch": Touch, "pace": SetPace}


class State(msgspec.Struct, frozen=True):
    """The whole screen, sent when a socket opens, when the page asks, and at every change."""

    type: Literal["initial_state", "state_update"]
    payload: Screen


class ActionResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The result of a press. `payload` is the screen after it, accepted or refused."""

    type: Literal["action_result"]
    success: bool
    payload: Screen | None = None
    action_id: str | None = None
    error: str | None = None
    code: str | None = None


class PageError(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An error: a WebSocket message with a `type`, or the body of an HTTP answer without one."""

    error: str
    code: str
    type: Literal["error"] | None = None
    state: Screen | None = None


class Health(msgspec.Struct, frozen=True):
    """The answer of `GET /healthz`; `faults` are in English."""

    status: Literal["ok", "fault"]
    faults: tuple[str, ...]


class Pong(msgspec.Struct, frozen=True):
    """The daemon answers a ping."""

    type: Literal["pong"] = "pong"


def read_action(body: bytes) -> PressRequest | Malformed:
    """Reads the body of `POST /api/v1/actions`."""
    return _with_checked_id(_decode(body, PressRequest))


def read_person_command(name: str, body: bytes) -> PersonCommand | Malformed:
    """Reads the body of `POST /api/v1/NAME`, where NAME is that of a command of `PERSON_COMMANDS`."""
    command: PersonCommand | Malformed = _decode(body, PERSON_COMMANDS[name])
    return command


def read_card(body: bytes) -> CardRequest | Malformed:
    """Reads the body of `POST /api/v1/demo/cards`."""
    request: CardRequest | Malformed = _decode(body, CardRequest)
    return request


def read_command(message: str | bytes) -> Command | Malformed:
    """Reads a message of the page's socket."""
    command: Command | Malformed = _decode(message, Command)
    return _with_checked_id(command) if isinstance(command, PressRequest) else command


def result_of(result: PressResult, action_id: str | None) -> ActionResult:
    """Returns the socket's answer to a press."""
    return ActionResult(
        type="action_result",
        success=result.error is None,
        payload=result.screen,
        action_id=result.action_id or action_id,
        error=result.error,
        code=result.code,
    )


def _with_checked_id(request: PressRequest | Malformed) -> PressRequest | Malformed:
    if isinstance(request, Malformed) or request.action_id is None or is_uuid(request.action_id):
        return request
    return Malformed("action_id is not a UUID", "malformed_action_id")


def _decode(data: str | bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        return Malformed(str(error))
    except (msgspec.DecodeError, UnicodeError):
        return Malformed("not JSON", "not_json")
    except RecursionError:
        return Malformed("nested too deeply")
