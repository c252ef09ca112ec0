"""One decorator for the endpoints of the API: the sender, the body and the answer.

A view gets the sender. With `body=` it also gets the value that `body` returned. A view returns what it tells, an
Answer or an ApiError. Any other value is refused, since it does not say whose data it holds.
"""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

from flask import Response, request

from sync.central.centre import Centre
from sync.central.records.tokens import Bearer
from sync.central.services.answers import Answer
from sync.central.services.authentication import actor_of, authenticate
from sync.central.services.door import let_out
from sync.central.services.errors import NO_OBJECT, ApiError
from sync.central.services.requester import Requester
from sync.central.services.requests import ActionRequest, read_action_request
from sync.central.services.told import Telling
from sync.central.web.http import read_json, respond, respond_error
from sync.central.web.senders import header_token
from sync.journey.model import Role

View = Callable[..., Telling | Answer | ApiError]
ReadBody = Callable[[dict[str, Any]], object]


class Endpoints:
    """The decorators of one centre's endpoints."""

    def __init__(self, centre: Centre) -> None:
        self._centre = centre

    def endpoint(self, *roles: Role, body: ReadBody | None = None) -> Callable[[View], Callable[..., Response]]:
        """A view for senders with a token of one of these roles: `view(sender, **path)`.

        With `body` it is `view(sender, value, **path)`. `body` turns the JSON object of the request into the value, or
        into an ApiError, which is the answer.
        """

        def decorate(view: View) -> Callable[..., Response]:
            @wraps(view)
            def endpoint(**path: str) -> Response:
                sender = authenticate(self._centre, header_token(), roles, request.remote_addr)
                if isinstance(sender, ApiError):
                    return respond_error(sender)
                return self.answer(requester_of(sender), _result(view, sender, body, path))

            return endpoint

        return decorate

    def action(self, action_type: str, payload: ReadBody) -> ReadBody:
        """A reader of a staff action's body: its `action_id`, and the members that `payload` reads."""

        def read(document: dict[str, Any]) -> ActionRequest | ApiError:
            found = payload(document)
            if isinstance(found, ApiError):
                return found
            made = {"action_id": document.get("action_id"), "action_type": action_type, "payload": found}
            return read_action_request(made, self._centre.keys, self._centre.ids)

        return read

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


def _result(view: View, sender: Bearer, body: ReadBody | None, path: dict[str, str]) -> Telling | Answer | ApiError:
    arguments: list[object] = [sender]
    if body is not None:
        value = read_object(body)
        if isinstance(value, ApiError):
            return value
        arguments.append(value)
    return view(*arguments, **path)


def read_object(body: ReadBody) -> object:
    """The value that `body` reads from the JSON object of the request; an ApiError where the request has no object."""
    document = read_json()
    if isinstance(document, ApiError):
        return document
    if not isinstance(document, dict):
        return NO_OBJECT
    return body(document)
