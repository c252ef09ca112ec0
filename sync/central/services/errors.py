"""The error of a refused request as a value, and its HTTP status and JSON body."""

from dataclasses import dataclass
from http import HTTPStatus

import msgspec
from msgspec import UNSET, UnsetType

from sync.central.services.entry_now import ChangeAfter, EntryNow
from sync.central.services.error_codes import CODES
from sync.journey.model import Refusal


@dataclass(frozen=True, slots=True)
class ApiError:
    """The error of a refused request: a code for programs, an English sentence for logs and developers."""

    code: str
    message: str

    @property
    def status(self) -> HTTPStatus:
        """The HTTP status of the code."""
        return CODES[self.code].status


class ErrorBody(msgspec.Struct, frozen=True):
    """The body of every refused request. Where no patient is concerned, the state is null and no action available.

    A press of staff on what is not as their screen shows it is told what is so: `entry` is the entry of the press,
    `next` the first one of the line, null for an empty line, and `after` what happened after the press to undo.
    """

    error: str
    code: str
    journey_state: str | None = None
    available_actions: tuple[str, ...] = ()
    entry: EntryNow | UnsetType | None = UNSET
    next: EntryNow | UnsetType | None = UNSET
    after: ChangeAfter | UnsetType | None = UNSET


CARD_BLOCKED = ApiError("card_blocked", "The card is blocked: it was reported lost. Unblock it first.")
CARD_OF_ANOTHER = ApiError("card_of_another", "The card belongs to another patient.")
DECIDED_ELSEWHERE = ApiError("decided_elsewhere", "The hospital's other system decides this action.")
NO_ENTRY = ApiError("not_found", "There is no such queue entry.")
UNKNOWN_PATIENT = ApiError("unknown_patient", "There is no such patient.")
NO_EXAM = ApiError("not_found", "There is no such exam.")
NO_CASE = ApiError("not_found", "There is no such case.")
NO_KIOSK = ApiError("not_found", "There is no such kiosk.")
NO_OBJECT = ApiError("malformed", "The body must be a JSON object.")
MISSING_PATIENT_ID = ApiError("missing_patient_id", "A request with a staff token must name the patient: patient_id.")


def status_of(code: str) -> HTTPStatus:
    """The HTTP status of an error of this code, one of an older version too."""
    return CODES[code].status if code in CODES else HTTPStatus.BAD_REQUEST


def nested_too_deep(what: str) -> ApiError:
    """The error for a body or a message whose JSON is nested too deep."""
    return ApiError("malformed", f"The {what} is nested too deep.")


def error_of(error: ApiError | Refusal) -> ApiError:
    """A refusal by the rules as an error of the interface; an error as it is."""
    return ApiError(error.code.value, error.message) if isinstance(error, Refusal) else error


def error_body(error: ApiError | Refusal, journey_state: str | None = None, actions: tuple[str, ...] = ()) -> ErrorBody:
    """The body for an error, with the patient's state where it is known, or for a refusal by the rules."""
    if isinstance(error, Refusal):
        return ErrorBody(error.message, error.code.value, error.journey_state, error.available_actions)
    return ErrorBody(error.message, error.code, journey_state, actions)
