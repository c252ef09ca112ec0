"""JSON Schemas as types of TypeScript."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

Schema = Mapping[str, Any]
_PLAIN = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}


def interface(name: str, schema: Schema) -> str:
    """The interface of an object's schema."""
    return f"{_comment(schema)}export interface {name} {_members(schema)}\n"


def names(name: str, known: Iterable[str], comment: str) -> str:
    """The type of a name whose known values an editor offers. A site may have further ones."""
    listed = " | ".join(json.dumps(each) for each in known)
    return f"/** {comment} */\nexport type {name} = {listed} | (string & {{}});\n"


def type_of(schema: Schema) -> str:
    """The type of a value."""
    if "x-type" in schema:
        return str(schema["x-type"])
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " | ".join(type_of(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(json.dumps(each) for each in schema["enum"])
    match schema.get("type"):
        case "array":
            return f"readonly ({type_of(schema['items'])})[]" if "items" in schema else "readonly unknown[]"
        case "object" if "additionalProperties" in schema:
            return f"{{readonly [name: string]: {type_of(schema['additionalProperties'])}}}"
        case "object":
            return _members(schema)
        case kind:
            return _PLAIN.get(str(kind), "unknown")


def references(schema: object) -> set[str]:
    """The names of the schemas that a schema refers to."""
    if isinstance(schema, Mapping):
        own = {schema["$ref"].rpartition("/")[2]} if isinstance(schema.get("$ref"), str) else set()
        return own.union(*(references(each) for each in schema.values()))
    return set().union(*(references(each) for each in schema)) if isinstance(schema, list) else set()


def _members(schema: Schema) -> str:
    required = set(schema.get("required", ()))
    lines = [
        f"  readonly {name}{'' if name in required else '?'}: {type_of(member)};\n"
        for name, member in schema.get("properties", {}).items()
    ]
    return "{\n" + "".join(lines) + "}"


def _comment(schema: Schema) -> str:
    words = str(schema.get("description", "")).replace("\n\n", "\n").split("\n")
    if words == [""]:
        return ""
    return f"/** {words[0]} */\n" if len(words) == 1 else "/**\n" + "".join(f" * {each}\n" for each in words) + " */\n"
