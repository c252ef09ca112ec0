"""The documents of the interface: complete, valid, and the same as their copies under docs/."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.cards import CardKey, CardKeys
from sync.central.services.bodies import PerformAction
from sync.central.services.error_codes import CODES
from sync.central.services.errors import ApiError
from sync.central.services.requests import read_action_request
from sync.central.site_keys import SiteKeys
from sync.central.web.patient_socket import COMMANDS
from sync.central.web.socket_messages import TAKEN
from sync.ids import new_id
from sync.protocol import EndCode
from tests.sync.central.held_to_document import hold_message_to_document
from tests.sync.central.online import API, Online
from tests.sync.central.web.documents import DOCS, documents

OPENAPI = json.loads((DOCS / "openapi.json").read_text("utf-8"))
ASYNCAPI = json.loads((DOCS / "asyncapi.json").read_text("utf-8"))
OF_PEOPLE = ("/staff/", "/page/")  # pages, and what they load
OF_THE_SOCKET = {"unknown_command"}
OF_KIOSKS_ALONE = {"proof_missing"}  # a verdict on an action, which no answer to a person has


def test_the_copies_under_docs_are_what_a_centre_serves():
    for file, text in documents().items():
        assert file.read_text("utf-8") == text, "python -m tests.sync.central.web.documents writes it again"


def test_the_document_names_the_version_of_the_package():
    project = tomllib.loads((DOCS.parent / "pyproject.toml").read_text("utf-8"))["project"]
    assert {each["info"]["version"] for each in (OPENAPI, ASYNCAPI)} == {project["version"]}


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def test_every_route_of_programs_is_in_the_document(online: Online):
    served = {
        (method, rule.rule.replace("<", "{").replace(">", "}"))
        for rule in online.app.url_map.iter_rules()
        if not rule.websocket and not rule.rule.startswith(OF_PEOPLE)
        for method in set(rule.methods or ()) - {"HEAD", "OPTIONS"}
    }
    assert {(method, path) for method, path, _ in operations(OPENAPI)} == served


def test_every_code_of_an_error_is_in_the_document():
    named = set[str]()
    for response in OPENAPI["components"]["responses"].values():
        schema = response["content"]["application/json"]["schema"]
        for form in schema.get("anyOf", [schema]):
            for part in form.get("allOf", []):
                named |= set(part.get("properties", {}).get("code", {}).get("enum", []))
    of_paths = {"method_not_allowed"}  # of no documented operation
    assert named | OF_THE_SOCKET | OF_KIOSKS_ALONE | of_paths == set(CODES) | set(EndCode)


def test_each_refusal_stands_under_the_status_of_its_code():
    for name, response in OPENAPI["components"]["responses"].items():
        status, *codes = name.split(".")
        assert {CODES[code].status for code in codes if code in CODES and code not in set(EndCode)} <= {
            HTTPStatus(int(status))
        }
        assert response["description"]


def test_every_operation_has_a_name_of_its_own_and_a_title():
    names = [operation["operationId"] for _, _, operation in operations(OPENAPI)]
    assert len(set(names)) == len(names)
    assert all(operation["summary"].endswith(".") for _, _, operation in operations(OPENAPI))


@pytest.mark.parametrize("document", [OPENAPI, ASYNCAPI], ids=["openapi", "asyncapi"])
def test_every_schema_of_a_document_is_valid_and_every_reference_leads_somewhere(document: dict[str, Any]):
    for schema in document["components"]["schemas"].values():
        jsonschema_rs.meta.validate(schema)
    for reference in references(document):
        found: Any = document
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]


@pytest.mark.parametrize("document", [OPENAPI, ASYNCAPI], ids=["openapi", "asyncapi"])
def test_no_two_types_have_one_title(document: dict[str, Any]):
    titles = [schema["title"] for schema in document["components"]["schemas"].values() if "title" in schema]
    assert len(set(titles)) == len(titles), "generators of clients name their types by the title"


def references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for each in value.values():
            yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


def test_the_socket_takes_the_commands_of_its_document():
    assert {kind.__struct_config__.tag for kind in TAKEN} == set(COMMANDS)


def test_the_documents_are_public_and_cached(online: Online):
    for path in ("openapi.json", "asyncapi.json", "reference/"):
        first = online.call("GET", f"{API}/{path}")
        assert (first.status_code, first.headers["Cache-Control"]) == (200, "public, max-age=60")
        again = online.call("GET", f"{API}/{path}", headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
    assert online.call("GET", f"{API}/openapi.json").json() == OPENAPI


def test_a_conversation_over_the_socket_has_every_message_of_its_document(online: Online):
    patient_id = online.newcomer()
    heard = set[str]()
    token = online.own_token(patient_id)
    with online.socket(token) as socket:

        def hear(count: int) -> None:
            heard.update(hold_message_to_document(socket.next()) for _ in range(count))

        hear(1)
        socket.ask("ping")
        socket.ask("fetch_initial_state")
        socket.ask("fetch_initial_state", patient_id="another")
        socket.send("no command")
        hear(4)
        socket.ask("perform_action", action_type="dance", action_id=["no", "id"])
        socket.ask("perform_action", action_type="complete_exam", action_id=new_id())
        hear(2)
        socket.ask("perform_action", action_type="scan_nfc", action_id=new_id())
        hear(2)
        socket.ask("renew", token=token)
        hear(1)
    assert heard == {each["$ref"].rpartition("/")[2] for each in ASYNCAPI["operations"]["tell"]["messages"]}


# A body is taken where its schema takes it. Names may hold printable text alone, which no schema says.

KEYS = SiteKeys(Path("unread"), CardKeys((CardKey("k1", "11" * 32),)))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.just("a" * 129),
    lambda inside: st.lists(inside, max_size=2) | st.dictionaries(st.sampled_from(["room", "x"]), inside, max_size=2),
    max_leaves=4,
)
MEMBERS = {
    "action_type": JSON | st.just("scan_nfc"),
    "action_id": JSON | st.just(new_id()) | st.just(new_id().upper()) | st.just(f"{new_id()}\n"),
    "payload": JSON | st.fixed_dictionaries({}, optional={"patient_id": JSON, "queue_id": JSON, "exam_id": JSON}),
}


@given(st.fixed_dictionaries({}, optional=MEMBERS))
def test_an_action_is_read_where_its_schema_takes_it(document: dict[str, Any]):
    read = read_action_request(document, KEYS, new_id)
    try:
        msgspec.convert(document, PerformAction)
    except msgspec.ValidationError:
        assert isinstance(read, ApiError)
    else:
        is_of_words = isinstance(read, ApiError) and read.code in ("invalid_payload", "invalid_action_id")
        assert not isinstance(read, ApiError) or (is_of_words and not is_printable(document))


def is_printable(document: Mapping[str, Any]) -> bool:
    texts = [document.get("action_id"), *(document.get("payload") or {}).values()]
    return all(each.isprintable() for each in texts if isinstance(each, str))
