"""What the sync endpoints take and tell, and the HTTP status of each refusal of a kiosk's call."""

from collections.abc import Mapping
from http import HTTPStatus

from sync.central.web.contract import Contract
from sync.journey.model import Role
from sync.protocol import (
    DeskCardAnswer,
    DeskCardRequest,
    EndCode,
    Enrolment,
    EnrolRequest,
    LookupAnswer,
    LookupRequest,
    PullAnswer,
    PullRequest,
    PushAnswer,
    PushRequest,
    Sealed,
    TokenAnswer,
    TokenRequest,
)

STATUS: Mapping[EndCode, HTTPStatus] = {
    EndCode.GAP: HTTPStatus.CONFLICT,
    EndCode.FORK: HTTPStatus.CONFLICT,
    EndCode.ENDED: HTTPStatus.UNAUTHORIZED,
    EndCode.NOT_KNOWN: HTTPStatus.UNAUTHORIZED,
    EndCode.REPLACED: HTTPStatus.UNAUTHORIZED,
    EndCode.BAD_CURSOR: HTTPStatus.CONFLICT,
    EndCode.NO_SITE: HTTPStatus.SERVICE_UNAVAILABLE,
    EndCode.OTHER_SITE: HTTPStatus.CONFLICT,
    EndCode.UNSUPPORTED_VERSION: HTTPStatus.BAD_REQUEST,
    EndCode.TRY_LATER: HTTPStatus.SERVICE_UNAVAILABLE,
    EndCode.MALFORMED: HTTPStatus.BAD_REQUEST,
}

_OF_A_KIOSK = (
    EndCode.ENDED,
    EndCode.NOT_KNOWN,
    EndCode.REPLACED,
    EndCode.NO_SITE,
    EndCode.OTHER_SITE,
    EndCode.UNSUPPORTED_VERSION,
    EndCode.TRY_LATER,
    EndCode.MALFORMED,
)
_KIOSK = (Role.KIOSK,)
PUSH = Contract(
    "Push actions of a kiosk",
    PushAnswer,
    _KIOSK,
    body=PushRequest,
    ends=(*_OF_A_KIOSK, EndCode.GAP, EndCode.FORK),
)
PULL = Contract(
    "Pull what is new for a kiosk",
    PullAnswer | Sealed,
    _KIOSK,
    body=PullRequest,
    ends=(*_OF_A_KIOSK, EndCode.BAD_CURSOR, EndCode.FORK),
)
LOOKUP = Contract("Ask who holds a card", LookupAnswer | Sealed, _KIOSK, body=LookupRequest, ends=_OF_A_KIOSK)
DESK_CARD = Contract(
    "Tell of a card for the desk", DeskCardAnswer | Sealed, _KIOSK, body=DeskCardRequest, ends=_OF_A_KIOSK
)
TOKEN = Contract("Ask for a newer token", TokenAnswer | Sealed, _KIOSK, body=TokenRequest, ends=_OF_A_KIOSK)
ENROL = Contract("Enrol a kiosk by its code", Enrolment | Sealed, body=EnrolRequest, ends=_OF_A_KIOSK)
