"""The JSON Schema of each message, as in docs/protocol.schema.json.

    python -m tests.protocol.schemas

writes that file again after a message has changed. `faults` checks a document by a schema. It knows the part of JSON
Schema (draft 2020-12) that msgspec writes, and shares no code with the readers of messages.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from sync.protocol import (
    CallRefused,
    DeskCardAnswer,
    DeskCardRequest,
    Enrolment,
    EnrolRequest,
    Intent,
    LookupAnswer,
    LookupRequest,
    PullAnswer,
    PullRequest,
    PushAnswer,
    PushRequest,
    TokenAnswer,
    TokenRequest,
)

FILE = Path(__file__).parents[2] / "docs" / "protocol.schema.json"
MESSAGES = (
    PushRequest,
    Intent,
    PushAnswer,
    PullRequest,
    PullAnswer,
    LookupRequest,
    LookupAnswer,
    DeskCardRequest,
    DeskCardAnswer,
    EnrolRequest,
    Enrolment,
    TokenRequest,
    TokenAnswer,
    CallRefused,
)
_KINDS: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def document() -> dict[str, Any]:
    """The schemas of all messages, with their shared parts under `$defs`."""
    schemas, components = msgspec.json.schema_components(MESSAGES, ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The wire between kiosk and centre, version 2",
        "oneOf": list(schemas),
        "$defs": components,
    }


def text() -> str:
    """The file's content."""
    return json.dumps(document(), ensure_ascii=False, indent=1) + "\n"


def faults(schema: dict[str, Any], value: Any, root: dict[str, Any], at: str = "$") -> list[str]:
    """The faults of a value, each with its place; none where the value fits the schema."""
    return list(_faults(schema, value, root, at))


def _faults(schema: dict[str, Any], value: Any, root: dict[str, Any], at: str) -> Iterator[str]:
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema and all(faults(option, value, root, at) for option in schema["anyOf"]):
        yield f"{at} fits none of its forms"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at} is not one of {schema['enum']}"
    if "type" in schema and not _is(schema["type"], value):
        yield f"{at} is no {schema['type']}"
    elif isinstance(value, dict):
        yield from _of_object(schema, value, root, at)
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for place, item in enumerate(value):
            yield from _faults(schema["items"], item, root, f"{at}[{place}]")


def _of_object(schema: dict[str, Any], value: dict[str, Any], root: dict[str, Any], at: str) -> Iterator[str]:
    yield from (f"{at}.{name} is missing" for name in schema.get("required", ()) if name not in value)
    for name, item in value.items():
        more = schema.get("additionalProperties", {})
        found = schema.get("properties", {}).get(name, more if isinstance(more, dict) else {})
        yield from _faults(found, item, root, f"{at}.{name}")


def _is(kind: str, value: Any) -> bool:
    return isinstance(value, _KINDS[kind]) and (kind == "boolean" or not isinstance(value, bool))


if __name__ == "__main__":
    FILE.write_text(text(), "utf-8")
