"""The document of the interface in OpenAPI 3.1, made of the application's routes and the contracts of its views."""

import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

import msgspec
from flask import Flask
from werkzeug.routing import Rule

from sync.central.feed.courier import WebhookMessage
from sync.central.feed.signing import HEADERS
from sync.central.network.bearer import SECURE_SESSION, SESSION
from sync.central.network.headers import JSON
from sync.central.records.duties import in_order
from sync.central.services.error_codes import CODES
from sync.central.services.errors import ErrorBody
from sync.central.web.contract import Contract, Contracts
from sync.central.web.kiosk_contracts import STATUS
from sync.central.web.schemas import Schemas, unwrapped
from sync.central.web.senders import CSRF
from sync.protocol import CallRefused, EndCode

_ADDED_BY_FLASK = frozenset({"HEAD", "OPTIONS"})
_ABOUT = """\
Times are ISO 8601 with the site's offset. Members that a reader does not know are ignored. Paths may be written without
their last slash. An answer has a member `code` where the request was refused, and each answer bears `X-Request-ID`,
which the centre's log has too. An answer that asks to wait has the status 503 and `Retry-After` (seconds). docs/api.md
has the limits and what each action means. asyncapi.json is the document of the socket."""
_COOKIE = f"""\
Made by POST /api/v1/session/ of a token, or by POST /api/v1/sign-in/ of a person's password. Over https its name is
{SECURE_SESSION}. It needs an `Origin` that may use it."""
_OF_A_PAGE = """\
Beside the cookie of a person: what the centre's own pages have in `<meta name="csrf">`. A page that asks by itself adds
`X-Unattended: 1`, and the idle time of the session goes on."""
_TAGS = {
    "patient": "For patients' apps and staff",
    "visit": "For the token of a visit, and for apps that renew theirs",
    "page": "The page of a visit",
    "session": "For pages of browsers",
    "people": "For the pages of staff: signing in, one's own account, and all accounts",
    "queue": "The queue, for staff",
    "board": "The lines of exams, for boards of staff",
    "staff": "A patient's record, for staff",
    "cards": "Cards, for staff",
    "desk": "The card desk: patients, walk-ins, bookings by hand, cards held to a kiosk",
    "inbox": "Cases that the rules cannot decide, for staff",
    "log": "The access log, for administrators",
    "integration": "For the hospital's system: docs/integration.md",
    "shadow": "For another system of the hospital that decides some actions: docs/shadow.md",
    "kiosk": "For kiosks: docs/protocol.md",
    "documents": "These documents",
    "client": "The client library, for pages",
    "health": "For programs that watch the centre",
}
_TAG_OF = {
    "accounts": "people",
    "me": "people",
    "import": "integration",
    "events": "integration",
    "presses": "queue",
    "desk_cards": "desk",
    "access log": "log",
}
_HEADERS = {
    "request-id": {
        "description": "The request's own X-Request-ID, or a new one. The centre's log names it.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
    },
    "retry-after": {
        "description": "In how many seconds to try again.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "etag": {"description": "For If-None-Match.", "required": True, "schema": {"type": "string"}},
    "bearer": {"description": "A token is needed.", "schema": {"const": "Bearer"}},
}


def openapi_document(app: Flask, contracts: Contracts) -> dict[str, Any]:
    """The document of every route with a contract."""
    routes = sorted(_routes(app, contracts), key=lambda each: (each[0].rule, each[1]))
    kinds = [kind for _, _, contract in routes for kind in contract.kinds]
    schemas = Schemas([*kinds, ErrorBody, CallRefused, WebhookMessage])
    responses: dict[str, Any] = {}
    paths: dict[str, dict[str, Any]] = {}
    for rule, method, contract in routes:
        operations = paths.setdefault(re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), {})
        operations[method.lower()] = _operation(rule, contract, schemas, responses)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "The centre of nfc-kiosk",
            "version": version_of_package(),
            "description": unwrapped(_ABOUT),
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "paths": paths,
        "webhooks": {"event": {"post": _webhook(schemas)}},
        "components": {
            "schemas": schemas.components,
            "responses": dict(sorted(responses.items())),
            "headers": _HEADERS,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "Made by kiosk-central token."},
                "session": {"type": "apiKey", "in": "cookie", "name": SESSION, "description": unwrapped(_COOKIE)},
                "page": {"type": "apiKey", "in": "header", "name": CSRF, "description": unwrapped(_OF_A_PAGE)},
            },
        },
    }


def _webhook(schemas: Schemas) -> dict[str, Any]:
    """What the centre sends to the receiver of a webhook."""
    return {
        "operationId": "webhook_event",
        "summary": "Take what has happened.",
        "description": "Signed as Standard Webhooks has it: docs/integration.md.",
        "tags": ["integration"],
        "parameters": [
            {"name": name, "in": "header", "required": True, "schema": {"type": "string"}} for name in HEADERS
        ],
        "requestBody": {"required": True, "content": {JSON: {"schema": schemas.of(WebhookMessage)}}},
        "responses": {
            "2XX": {"description": "Taken."},
            "410": {"description": "The receiver wants no more."},
            "default": {"description": "It is sent again later."},
        },
    }


def version_of_package() -> str:
    """The version of this package, as it was installed."""
    return version("nfc-kiosk")


def _routes(app: Flask, contracts: Contracts) -> Iterator[tuple[Rule, str, Contract]]:
    for rule in app.url_map.iter_rules():
        contract = contracts.of(app.view_functions[rule.endpoint])
        if contract is not None:
            for method in sorted(set(rule.methods or ()) - _ADDED_BY_FLASK):
                yield rule, method, contract


def _operation(rule: Rule, contract: Contract, schemas: Schemas, responses: dict[str, Any]) -> dict[str, Any]:
    blueprint, _, name = rule.endpoint.rpartition(".")
    found: dict[str, Any] = {
        "operationId": f"{blueprint or 'health'}_{name.replace('-', '_')}{'_older' if _is_older(rule) else ''}",
        "summary": f"{contract.title}.",
        "tags": [_TAG_OF.get(blueprint, blueprint) or "health"],
        "security": _security(contract),
        "parameters": [*_in_path(rule), *_in_query(contract, schemas)],
        "responses": _responses(rule, contract, schemas, responses),
    }
    if contract.of_pages:
        found["x-duties"] = [each.value for each in in_order(contract.duties)]
    if _is_older(rule):
        found |= {"deprecated": True, "description": "An older spelling of the path with hyphens."}
    if contract.body is not None:
        found["requestBody"] = {"required": True, "content": {JSON: {"schema": schemas.of(contract.body)}}}
    if contract.takes:
        forms = {media: {"schema": {} if media == JSON else {"type": "string"}} for media in contract.takes}
        found["requestBody"] = {"description": "As docs/import.md has it.", "required": True, "content": forms}
    return found


def _security(contract: Contract) -> list[dict[str, list[str]]]:
    """What opens an endpoint: a token of one of its roles, or the cookie of a session."""
    if contract.by_cookie:
        return [{"session": []}]
    by_token: list[dict[str, list[str]]] = [{"token": [role.value]} for role in contract.roles]
    return [*by_token, {"session": [], "page": []}] if contract.of_pages else by_token


def _is_older(rule: Rule) -> bool:
    return "_" in re.sub("<.*?>", "", rule.rule)


def _in_path(rule: Rule) -> list[dict[str, Any]]:
    schema = {"type": "string", "minLength": 1}
    names = re.findall(r"<(?:\w+:)?(\w+)>", rule.rule)
    return [{"name": name, "in": "path", "required": True, "schema": schema} for name in names]


def _in_query(contract: Contract, schemas: Schemas) -> list[dict[str, Any]]:
    if contract.query is None:
        return []
    members = schemas.members(contract.query).items()
    return [{"name": name, "in": "query", "schema": _given(schema)} for name, schema in members]


def _given(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of a member of a query: it has a text, or is left out."""
    forms: list[Mapping[str, Any]] = [form for form in schema.get("anyOf", [schema]) if form.get("type") != "null"]
    return forms[0]


def _responses(rule: Rule, contract: Contract, schemas: Schemas, shared: dict[str, Any]) -> dict[str, Any]:
    found = {str(contract.status.value): _granted(contract, schemas)}
    if contract.goes_on:
        begun = {**_granted(contract, schemas), "description": "It was begun: `Location` says where to ask."}
        found["202"] = begun | {"headers": _headers("request-id", "retry-after")}
    if contract.is_cached:
        found["304"] = {"description": "The client has it already.", "headers": _headers("request-id", "etag")}
    codes = contract.by_status(is_named=bool(rule.arguments))
    ends: dict[HTTPStatus, list[str]] = {}
    for end in contract.ends:
        ends.setdefault(STATUS[end], []).append(end.value)
    if contract.ends:
        ends[HTTPStatus.REQUEST_ENTITY_TOO_LARGE] = [EndCode.MALFORMED.value]
    for status in sorted({*codes, *ends}):
        fails = contract.fails if status is HTTPStatus.SERVICE_UNAVAILABLE else None
        name, response = _refused(status, codes.get(status, ()), sorted(ends.get(status, ())), fails, schemas)
        shared[name] = response
        found[str(status.value)] = {"$ref": f"#/components/responses/{name}"}
    return found


def _granted(contract: Contract, schemas: Schemas) -> dict[str, Any]:
    headers = _headers("request-id", *(["etag"] if contract.is_cached else []))
    content = {contract.media: {"schema": schemas.of(contract.tells)}}
    return {"description": "Done.", "headers": headers, "content": content}


def _refused(
    status: HTTPStatus, codes: tuple[str, ...], ends: list[str], fails: type[msgspec.Struct] | None, schemas: Schemas
) -> tuple[str, dict[str, Any]]:
    """The response with a refusal, and its name among the responses that endpoints share."""
    words = [f"`{code}`: {CODES[code].when}" for code in codes] + [f"`{end}`, to a kiosk." for end in ends]
    headers = ["request-id"]
    if status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
        headers.append("retry-after")
    if status is HTTPStatus.UNAUTHORIZED:
        headers.append("bearer")
    forms = [_with_code(schemas.of(ErrorBody), codes)] if codes else []
    forms += [_with_code(schemas.of(CallRefused), ends)] if ends else []
    forms += [schemas.of(fails)] if fails else []
    schema = forms[0] if len(forms) == 1 else {"anyOf": forms}
    response = {
        "description": "\n".join(words),
        "headers": _headers(*headers),
        "content": {JSON: {"schema": schema}},
    }
    return ".".join([str(status.value), *codes, *ends, *([fails.__name__] if fails else [])]), response


def _with_code(schema: Mapping[str, Any], codes: tuple[str, ...] | list[str]) -> dict[str, Any]:
    return {"allOf": [schema, {"properties": {"code": {"enum": list(codes)}}}]}


def _headers(*names: str) -> dict[str, Any]:
    spelled = {"request-id": "X-Request-ID", "retry-after": "Retry-After", "etag": "ETag", "bearer": "WWW-Authenticate"}
    return {spelled[name]: {"$ref": f"#/components/headers/{name}"} for name in names}
