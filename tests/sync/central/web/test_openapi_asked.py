"""The centre is asked in ways that its document allows and forbids: each answer is one that the document names.

The tool fills a copy of the document with values: at the bounds of each type, beyond them, and drawn. It checks the
status, the headers, the media type and the body of each answer. Where the test names the ids of records, more requests
get as far as the rules.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import schemathesis
from schemathesis.checks import CheckContext
from schemathesis.core.transport import Response
from schemathesis.engine import events, from_schema
from schemathesis.generation.case import Case

from sync.central.records.duties import Duty
from sync.journey.model import Role
from sync.protocol import PROTOCOL_VERSION
from tests.sync.central.door.marked import ANNA, MarkedOnline
from tests.sync.central.door.test_endpoints import of_read_card
from tests.sync.central.staff.people import headers_of, person

LONG = bool(os.environ.get("LONG"))
EXAMPLES = 200 if LONG else 3  # drawn for an operation; those at the bounds come anyway
pytestmark = pytest.mark.timeout(1800 if LONG else 120)
Bearer = Callable[[MarkedOnline], str | None]
BEARERS: Mapping[Role | None, Bearer] = {
    None: lambda _: None,
    Role.PATIENT: lambda marked: marked.centre.token(Role.PATIENT, ANNA),
    Role.VISIT: lambda marked: marked.visit_secret(),
    Role.STAFF: lambda marked: marked.nurse,
    Role.INTEGRATION: lambda marked: marked.centre.token(Role.INTEGRATION, name="Engine"),
}


@schemathesis.check
def a_5xx_is_an_answer_that_asks_to_wait(_: CheckContext, response: Response, case: Case) -> None:
    """Too many wrong codes, say, are answered with 503. Any other 5xx is a fault of the centre."""
    may_be = response.status_code < 500 or (response.status_code == 503 and "retry-after" in response.headers)
    assert may_be, f"{case.method} {case.path}: {response.status_code} {response.text[:200]}"


CHECKS = {
    "not_a_server_error": {"enabled": False},  # it knows no 503; the check above stands in its place
    # No schema says what the rules allow, which texts are the id of a card, and which characters are printable.
    "positive_data_acceptance": {"enabled": False},
}
OF_INTEGRATIONS = {"GET /api/v1/events/", "GET /api/v1/import/{import_id}/"}
OPERATIONS = [
    # The centre of another site says so first, whatever token came.
    {"include-tag": "kiosk", "checks": {"missing_required_header": {"enabled": False}}},
    # Any bytes may be a document in CSV. The report says what is wrong with it.
    {"include-path": "/api/v1/import/", "checks": {"negative_data_rejection": {"enabled": False}}},
    # The cookie of a test is in each request, also in one that is to lack it.
    {"include-path": "/api/v1/session/", "checks": {"negative_data_rejection": {"enabled": False}}},
    # Another operation has {queue_id} in the place of `search`, and takes PATCH; so it is with the others.
    *(
        {"include-path": f"/api/v1/{path}/", "checks": {"allow_header_conformance": {"enabled": False}}}
        for path in ("queue/search", "queue/call-next", "queue/undo", "exceptions/discard", "people/invitations")
    ),
]


@pytest.fixture
def marked(tmp_path: Path) -> Iterator[MarkedOnline]:
    made = MarkedOnline(tmp_path)
    yield made
    made.close()


def ask(
    marked: MarkedOnline,
    role: Role | None,
    token: str | None,
    members: Mapping[str, Any] = MappingProxyType({}),
    **parameters: str,
) -> dict[str, set[int]]:
    """Asks for the operations of the document, with these values of parameters. Returns the statuses of each.

    A member of a body gets its value from `members` where that is of the same type. Fails with what the tool has found.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    opened = _ask(marked, headers, members, parameters, lambda operation: _opens(operation, role))
    if not LONG:
        return opened
    # Whatever is sent, the others refuse the token: one request of each is enough.
    return opened | _ask(
        marked, headers, members, parameters, lambda operation: not _opens(operation, role), in_short=True
    )


def _opens(operation: Mapping[str, Any], role: Role | None) -> bool:
    """Whether a token of a role opens an operation. What needs no token is asked for by nobody, and whole by staff."""
    roles = [each for way in operation["security"] for each in way.get("token", ())]
    return role in roles or role is None or (not roles and role is Role.STAFF)


def _ask(
    marked: MarkedOnline,
    headers: Mapping[str, str],
    members: Mapping[str, Any],
    parameters: Mapping[str, str],
    is_asked: Callable[[Mapping[str, Any]], bool],
    *,
    in_short: bool = False,
) -> dict[str, set[int]]:
    settings: dict[str, Any] = {
        "seed": 1,
        # Who has no token is refused whatever is sent.
        "generation": {
            "mode": "all" if headers and not in_short else "positive",
            "max-examples": 1 if in_short else EXAMPLES,
            "deterministic": True,
            "database": "none",
        },
        "phases": {
            "stateful": {"enabled": False},
            "examples": {"enabled": False},
            "coverage": {"enabled": not in_short},
        },
        # The tool leaves the cookie in, and spoils the token that is not there.
        "checks": CHECKS | ({"ignored_auth": {"enabled": False}} if "Cookie" in headers else {}),
        "operations": OPERATIONS,
        "parameters": dict(parameters),
        "base-url": f"http://{marked.online.host}",
    }
    if headers:
        settings["headers"] = dict(headers)
    # The filter of the tool does nothing beside `operations`. A path is asked whole: its other methods are tried too.
    document = document_of(marked)
    document["paths"] = {path: each for path, each in document["paths"].items() if any(map(is_asked, each.values()))}
    schema = schemathesis.openapi.from_dict(document, config=schemathesis.Config.from_dict(settings))

    @schema.hook
    def map_body(_: schemathesis.HookContext, body: Any) -> Any:
        given = body.items() if isinstance(body, dict) else ()
        known = {name: members[name] for name, value in given if name in members and type(value) is type(members[name])}
        return {**body, **known} if known else body

    statuses, faults = defaultdict[str, set[int]](set), dict[tuple[str, str], str]()
    for event in from_schema(schema).execute():
        assert not isinstance(event, events.FatalError), event.exception
        if isinstance(event, events.NonFatalError):
            faults[event.label, "error"] = str(event.value)
        if isinstance(event, events.ScenarioFinished):
            statuses[event.recorder.label] |= _statuses(event)
            faults |= {(event.recorder.label, name): text for name, text in _faults(event)}
    assert not faults, "\n\n".join(f"{label}, {name}:\n{text}" for (label, name), text in faults.items())
    return statuses


def _statuses(event: events.ScenarioFinished) -> set[int]:
    """The statuses of the operation itself. The tool tries other methods on its path too."""
    method = event.recorder.label.partition(" ")[0]
    asked = [each for each in event.recorder.interactions.values() if each.request.method == method]
    return {each.response.status_code for each in asked if each.response is not None}


def _faults(event: events.ScenarioFinished) -> Iterator[tuple[str, str]]:
    for check in (check for checks in event.recorder.checks.values() for check in checks):
        if check.failure_info is not None:
            yield check.name, f"{check.failure_info.failure}\n{check.failure_info.code_sample}"


def document_of(marked: MarkedOnline) -> dict[str, Any]:
    return dict(marked.online.call("GET", "/api/v1/openapi.json").json())


def operations(marked: MarkedOnline, role: Role | None = None) -> set[str]:
    """The names of the operations that `ask` asks for; all without a role. tests/sync/central/door asks the others."""
    paths = document_of(marked)["paths"].items()
    found = {f"{method.upper()} {path}": each for path, methods in paths for method, each in methods.items()}
    return {name for name, each in found.items() if LONG or _opens(each, role)}


def breaches(marked: MarkedOnline) -> dict[str, Any]:
    """What the check finds wrong in the rows of the centre. A card key that a kiosk claims to have is no breach."""
    found = marked.centre.do("check")
    rows = ("inconsistent", "orphans", "illegal_transitions", "stray_bookings", "damage")
    return {name: found[name] for name in rows if found[name]}


@pytest.mark.parametrize("role", BEARERS)
def test_every_answer_to_a_bearer_is_one_that_the_document_names(marked: MarkedOnline, role: Role | None):
    statuses = ask(marked, role, BEARERS[role](marked))
    assert set(statuses) >= operations(marked, role)
    assert not breaches(marked)


def test_every_answer_to_staff_about_records_is_one_that_the_document_names(marked: MarkedOnline):
    case = marked.cases[ANNA]
    ids = {"patient_id": ANNA, "queue_id": marked.queue_id, "binding_id": marked.binding_id, "exception_id": case}
    ids |= {"ask_id": of_read_card(marked)["ask_id"]}
    statuses = ask(marked, Role.STAFF, marked.nurse, **ids, module="journey.js")
    read = {each for each in operations(marked) if each.startswith("GET ")} - OF_INTEGRATIONS - {"GET /api/v1/visit/"}
    read -= of_administrators(marked)
    assert {operation for operation in read if 200 not in statuses[operation]} == set()
    assert not breaches(marked)


def of_administrators(marked: MarkedOnline) -> set[str]:
    """The operations that an administrator may ask for, and no token that is no person's."""
    paths = document_of(marked)["paths"].items()
    found = {f"{method.upper()} {path}": each for path, methods in paths for method, each in methods.items()}
    return {name for name, each in found.items() if _is_of_administrators(each)}


def _is_of_administrators(operation: Mapping[str, Any]) -> bool:
    takes_tokens = any("token" in way for way in operation["security"])
    return takes_tokens and Duty.ADMINISTRATOR in operation.get("x-duties", ())


def test_every_answer_to_an_administrator_is_one_that_the_document_names(marked: MarkedOnline):
    headers = headers_of(marked.online, person(marked.online, Duty.ADMINISTRATOR))
    statuses = _ask(marked, headers, {}, {}, _is_of_administrators)
    read = {each for each in of_administrators(marked) if each.startswith("GET ")}
    assert {operation for operation in read if 200 not in statuses[operation]} == set()


def test_every_answer_to_a_kiosk_that_names_itself_is_one_that_the_document_names(marked: MarkedOnline):
    box = marked.box
    own = {"site_id": box.site_id, "kiosk_id": box.kiosk_id, "protocol_version": PROTOCOL_VERSION, "epoch": 1}
    statuses = ask(marked, Role.KIOSK, box.token, {**own, "wait_s": 0.0})
    assert set(statuses) >= operations(marked, Role.KIOSK)
    calls = ("sync/push", "sync/pull", "sync/lookup", "kiosks/token")
    assert {call for call in calls if not statuses[f"POST /api/v1/{call}"] & {200, 503}} == set()
    assert not breaches(marked)
