"""Holds what the centre says against the documents under docs/.

Of an answer: status, headers, media type and body. Of a message of the socket: its members.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import requests

_DOCS = Path(__file__).parents[3] / "docs"
_DOCUMENT = json.loads((_DOCS / "openapi.json").read_text("utf-8"))
_OF_THE_SOCKET = json.loads((_DOCS / "asyncapi.json").read_text("utf-8"))


def hold_to_document(answer: requests.Response, *, behind_gateway: bool = True) -> None:
    """Fails where the document does not name such an answer to the request. Other paths and methods are left alone.

    The gateway adds the id of the request.
    """
    method, path = str(answer.request.method), answer.request.path_url.partition("?")[0]
    operation = _operation(method.lower(), path if path.endswith("/") else f"{path}/")
    if operation is None:
        return
    response = operation["responses"].get(str(answer.status_code))
    assert response is not None, f"{method} {path} answers {answer.status_code}, which no document names"
    response = _found(response)
    for name, header in response.get("headers", {}).items():
        header = _found(header)
        is_ours = behind_gateway or name != "X-Request-ID"
        assert name in answer.headers or not is_ours or not header.get("required"), (
            f"{method} {path} answers without {name}"
        )
    for media, content in response.get("content", {}).items():
        assert answer.headers["Content-Type"] == media
        if media == "application/json":
            faults = [str(each) for each in _validator(json.dumps(content["schema"])).iter_errors(answer.json())]
            assert not faults, f"{method} {path} answers {answer.status_code} with another body: {faults}"


def hold_message_to_document(message: object) -> str:
    """The name of the message among those of the document; fails where none is of its form."""
    named = [name for name, validator in _messages().items() if validator.is_valid(message)]
    assert len(named) == 1, f"a message of the socket is of the forms {named}: {message}"
    return named[0]


def _found(value: dict[str, Any]) -> dict[str, Any]:
    found: Any = _DOCUMENT
    for step in value["$ref"].removeprefix("#/").split("/") if "$ref" in value else ():
        found = found[step]
    return dict(found) if "$ref" in value else value


@cache
def _operation(method: str, path: str) -> dict[str, Any] | None:
    named = [each for each in _DOCUMENT["paths"] if re.fullmatch(_pattern(each), path)]
    found = [_DOCUMENT["paths"][each] for each in sorted(named, key=lambda each: each.count("{"))]
    return next((each[method] for each in found if method in each), None)


def _pattern(path: str) -> str:
    literal = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))
    return literal if literal.endswith("/") else f"{literal}/"


@cache
def _messages() -> dict[str, jsonschema_rs.Validator]:
    sending = [each for each in _OF_THE_SOCKET["operations"].values() if each["action"] == "send"]
    sent = dict.fromkeys(each["$ref"].rpartition("/")[2] for each_of in sending for each in each_of["messages"])
    found = _OF_THE_SOCKET["components"]
    return {
        name: jsonschema_rs.Draft202012Validator({**found["messages"][name]["payload"], "components": found})
        for name in sent
    }


@cache
def _validator(schema: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.Draft202012Validator({**json.loads(schema), "components": _DOCUMENT["components"]})
