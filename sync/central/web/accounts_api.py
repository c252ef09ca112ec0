"""The people who sign in, over REST, for those who administer."""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from flask import Blueprint

from sync.central.centre import Centre
from sync.central.records.duties import Duty
from sync.central.records.tokens import Bearer
from sync.central.services import people as services
from sync.central.services.bodies import Body, read_members
from sync.central.services.errors import ApiError
from sync.central.services.people import (
    ChangeStaffMember,
    EndedOfPerson,
    Invite,
    People,
    ShownCode,
    StaffMember,
    Withdrawn,
)
from sync.central.services.told import AboutNobody
from sync.central.web.endpoints import Endpoint, Endpoints, requester_of
from sync.journey.model import Role

T = TypeVar("T", bound=msgspec.Struct)
_OF_A_CHANGE = ("not_found", "not_applicable", "last_administrator")
_OF_ONE = "/<account_id>/"


def accounts_api(centre: Centre, endpoints: Endpoints) -> Blueprint:
    """The routes under /api/v1/people/, which the duty of an administrator opens."""
    api = Blueprint("accounts", __name__, url_prefix="/api/v1/people")

    def endpoint(title: str, tells: object, *refuses: str, body: Body | None = None) -> Callable[..., Endpoint]:
        return endpoints.endpoint(title, tells, Role.STAFF, body=body, refuses=refuses, duty=Duty.ADMINISTRATOR)

    @api.get("/")
    @endpoint("List the people who sign in", People)
    def list_people(_: Bearer) -> AboutNobody:
        return AboutNobody(services.people(centre))

    @api.post("/invitations/")
    @endpoint("Invite a person by a one-time code", ShownCode, body=_body(Invite))
    def invite(sender: Bearer, wanted: Invite) -> AboutNobody | ApiError:
        return _told(services.invite(centre, requester_of(sender), wanted))

    @api.delete("/codes/<code_id>/")
    @endpoint("Withdraw a code that nobody has used", Withdrawn, "not_found")
    def withdraw(sender: Bearer, code_id: str) -> AboutNobody | ApiError:
        return _told(services.withdraw_code(centre, requester_of(sender), code_id))

    @api.patch(_OF_ONE)
    @endpoint(
        "Change a person's account",
        StaffMember,
        "not_found",
        "not_applicable",
        "last_administrator",
        body=_body(ChangeStaffMember),
    )
    def change(sender: Bearer, wanted: ChangeStaffMember, account_id: str) -> AboutNobody | ApiError:
        return _told(services.change_person(centre, requester_of(sender), account_id, wanted))

    @api.post(f"{_OF_ONE}unlock/")
    @endpoint("End a person's waits after wrong passwords", StaffMember, "not_found")
    def unlock(sender: Bearer, account_id: str) -> AboutNobody | ApiError:
        return _told(services.unlock(centre, requester_of(sender), account_id))

    @api.post(f"{_OF_ONE}reset/")
    @endpoint("Take a person's password away, for a one-time code", ShownCode, "not_found", "not_applicable")
    def reset(sender: Bearer, account_id: str) -> AboutNobody | ApiError:
        return _told(services.reset_password(centre, requester_of(sender), account_id, own=sender.account_id))

    @api.delete(f"{_OF_ONE}sessions/")
    @endpoint("End all sessions of a person", EndedOfPerson, "not_found")
    def end_all(sender: Bearer, account_id: str) -> AboutNobody | ApiError:
        return _told(services.end_sessions(centre, requester_of(sender), account_id))

    @api.delete(f"{_OF_ONE}sessions/<session_id>/")
    @endpoint("End a session of a person", EndedOfPerson, "not_found")
    def end_one(sender: Bearer, account_id: str, session_id: str) -> AboutNobody | ApiError:
        return _told(services.end_sessions(centre, requester_of(sender), account_id, session_id))

    return api


def _body(kind: type[T]) -> Body:
    return Body(kind, lambda document: read_members(kind, document, {}))


def _told(found: Any) -> AboutNobody | ApiError:
    return found if isinstance(found, ApiError) else AboutNobody(found)
