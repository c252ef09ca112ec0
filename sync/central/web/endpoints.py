"""One decorator for the endpoints of the API: the sender, the body and the answer.

A view gets the sender. With `body=` it also gets the value that `body` returned. A view returns an Answer, an ApiError
or any value that becomes JSON.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Response, request

from sync.central.centre import Centre
from sync.central.records.tokens import Bearer
from sync.central.services.access_log import AccessLog
from sync.central.services.answers import Answer, accepted, refused
from sync.central.services.authentication import authenticate
from sync.central.services.errors import NO_OBJECT, ApiError
from sync.central.services.requests import ActionRequest, read_action_request
from sync.central.web.http import read_json, respond
from sync.central.web.senders import header_token
from sync.journey.model import Role

View = Callable[..., object]
ReadBody = Callable[[dict[str, Any]], object]


class Endpoints:
    """The decorators of one centre's endpoints."""

    def __init__(self, centre: Centre, access_log: AccessLog) -> None:
        self._centre = centre
        self._access_log = access_log

    def endpoint(self, *roles: Role, body: ReadBody | None = None) -> Callable[[View], Callable[..., Response]]:
        """A view for senders with a token of one of these roles: `view(sender, **path)`.

        With `body` it is `view(sender, value, **path)`. `body` turns the JSON object of the request into the value, or
        into an ApiError, which is the answer.
        """

        def decorate(view: View) -> Callable[..., Response]:
            @wraps(view)
            def endpoint(**path: str) -> Response:
                sender = authenticate(self._centre, header_token(), roles)
                return respond(sender if isinstance(sender, ApiError) else _result(view, sender, body, path))

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

    def record_look(self, sender: Bearer, kind: str, *patient_ids: str) -> None:
        """Records in the access log that staff looked at patients, and from which address. Other senders leave no
        row.
        """
        if sender.role is Role.STAFF:
            self._access_log.record(sender.who, kind, request.remote_addr, patient_ids, self._centre.clock())


def _result(view: View, sender: Bearer, body: ReadBody | None, path: dict[str, str]) -> Answer:
    arguments: list[object] = [sender]
    if body is not None:
        value = read_object(body)
        if isinstance(value, ApiError):
            return refused(value)
        arguments.append(value)
    result = view(*arguments, **path)
    if isinstance(result, ApiError):
        return refused(result)
    return result if isinstance(result, Answer) else accepted(result)


def read_object(body: ReadBody) -> object:
    """The value that `body` reads from the JSON object of the request; an ApiError where the request has no object."""
    document = read_json()
    if isinstance(document, ApiError):
        return document
    if not isinstance(document, dict):
        return NO_OBJECT
    return body(document)
