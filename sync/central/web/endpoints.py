"""One decorator for the endpoints of the API: the contract, the sender, the body and the answer.

A view gets the sender. With a query or a body in its contract it also gets the value that was read. A view returns what
it tells, an Answer or an ApiError. Any other value is refused, since it does not say whose data it holds.
"""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec
from flask import Response, request

from sync.central.centre import Centre
from sync.central.records.duties import OF_PROGRAMS, Duty
from sync.central.records.tokens import Bearer
from sync.central.services.answers import Answer
from sync.central.services.authentication import actor_of
from sync.central.services.bodies import Body, read_members
from sync.central.services.door import let_out
from sync.central.services.errors import NO_OBJECT, ApiError
from sync.central.services.requester import Requester
from sync.central.services.requests import ActionRequest, read_action_request
from sync.central.services.told import Telling
from sync.central.web.contract import Contract, Contracts
from sync.central.web.http import read_json, respond, respond_error
from sync.central.web.origins import Origins
from sync.central.web.senders import sender_of
from sync.journey.model import Role

View = Callable[..., Telling | Answer | ApiError]
Endpoint = Callable[..., Response]
Q = TypeVar("Q", bound=msgspec.Struct)


class Endpoints:
    """The decorators of one centre's endpoints, and the contracts of those."""

    def __init__(self, centre: Centre, origins: Origins) -> None:
        self._centre = centre
        self._origins = origins
        self.contracts = Contracts()

    def endpoint(
        self,
        title: str,
        tells: object,
        *roles: Role,
        query: type[msgspec.Struct] | None = None,
        body: Body | None = None,
        status: HTTPStatus = HTTPStatus.OK,
        refuses: tuple[str, ...] = (),
        duty: Duty | frozenset[Duty] = OF_PROGRAMS,
    ) -> Callable[[View], Endpoint]:
        """A view for senders with a token of one of these roles: `view(sender, **path)`.

        Of staff, it takes those with this duty, or with one of these. Where it takes staff, it takes the cookie of a
        person who has signed in too.

        With `query` or `body` it is `view(sender, value, **path)`. The reader of the body turns the JSON object of the
        request into the value, or into an ApiError, which is the answer.
        """
        kind = body.kind if body else None
        duties = frozenset({duty}) if isinstance(duty, Duty) else duty
        contract = Contract(
            title,
            tells,
            roles,
            query=query,
            body=kind,
            status=status,
            refuses=refuses,
            duties=duties,
            of_pages=Role.STAFF in roles,
        )

        def decorate(view: View) -> Endpoint:
            return self.documented(contract)(self.guarded(view, roles, query=query, body=body, duties=duties))

        return decorate

    def documented(self, contract: Contract) -> Callable[[Endpoint], Endpoint]:
        """A view that keeps its contract by itself."""

        def decorate(view: Endpoint) -> Endpoint:
            self.contracts.add(view, contract)
            return view

        return decorate

    def guarded(
        self,
        view: View,
        roles: tuple[Role, ...],
        *,
        query: type[msgspec.Struct] | None = None,
        body: Body | None = None,
        duties: frozenset[Duty] = OF_PROGRAMS,
    ) -> Endpoint:
        """As `endpoint`, for a view that is a part of another one."""

        @wraps(view)
        def endpoint(**path: str) -> Response:
            sender = sender_of(self._centre, self._origins, roles, duties)
            if isinstance(sender, ApiError):
                return respond_error(sender)
            return self.answer(requester_of(sender), _result(view, sender, query, body, path))

        return endpoint

    def action(self, action_type: str, body: Body) -> Body:
        """The body of a staff action: its `action_id`, and the members that `body` reads for its payload."""

        def read(document: dict[str, Any]) -> ActionRequest | ApiError:
            found = body.read(document)
            if isinstance(found, ApiError):
                return found
            made = {"action_id": document.get("action_id"), "action_type": action_type, "payload": found}
            return read_action_request(made, self._centre.keys, self._centre.ids)

        return Body(body.kind, read)

    def answer(self, requester: Requester, result: Telling | Answer | ApiError) -> Response:
        """The response with what a view has returned."""
        if isinstance(result, ApiError):
            return respond_error(result)
        if isinstance(result, Answer):
            return respond(result.status, let_out(self._centre, requester, result.told))
        return respond(HTTPStatus.OK, let_out(self._centre, requester, result))


def requester_of(sender: Bearer, channel: str = "rest", *, is_expected: bool = False) -> Requester:
    """The sender of the present request, with the network address of the client. `is_expected`: not confirmed yet."""
    return Requester(actor_of(sender), sender.who, channel, request.remote_addr, sender if is_expected else None)


def _result(
    view: View, sender: Bearer, query: type[msgspec.Struct] | None, body: Body | None, path: dict[str, str]
) -> Telling | Answer | ApiError:
    arguments: list[object] = [sender]
    if query is not None:
        arguments.append(read_query(query))
    if body is not None:
        arguments.append(_read_object(body))
    refused = next((each for each in arguments if isinstance(each, ApiError)), None)
    return refused if refused is not None else view(*arguments, **path)


def read_query(kind: type[Q]) -> Q | ApiError:
    """The members of the request's query, or the error. An empty text counts as one that did not come."""
    given: dict[str, str] = {}
    for field in msgspec.structs.fields(kind):
        texts = request.args.getlist(field.encode_name)
        if len(texts) > 1:
            return ApiError("malformed", f"{field.encode_name} is given several times.")
        if texts and (texts[0] or field.default is not None):
            given[field.encode_name] = texts[0]
    return read_members(kind, given, {}, strict=False)


def _read_object(body: Body) -> object:
    """The value of the JSON object of the request; an ApiError where the request has none."""
    document = read_json()
    if isinstance(document, ApiError):
        return document
    if not isinstance(document, dict):
        return NO_OBJECT
    return body.read(document)
