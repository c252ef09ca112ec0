"""The types of the client library: those of the centre's messages, and those of the library's own modules.

    python -m tests.sync.client.types

writes them again. `protocol.d.ts` follows definitions.toml, docs/openapi.json and docs/asyncapi.json. TypeScript makes
the others of the modules' own comments, and checks the modules against the first.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sync.client import modules
from sync.journey.definitions import shipped
from tests.components import npm_packages
from tests.sync.client.typescript import Schema, interface, names, references

LIBRARY = next(iter(modules().values())).parent
DOCS = Path(__file__).parents[3] / "docs"
_OPENAPI = json.loads((DOCS / "openapi.json").read_text("utf-8"))
_ASYNCAPI = json.loads((DOCS / "asyncapi.json").read_text("utf-8"))
_HEAD = "// Made by python -m tests.sync.client.types; not to be edited.\n\n"
# Members whose values the definitions or the documents name, by the schema or, for all schemas, by the member alone.
_NAMED: Mapping[str, str] = {
    "journey_state": "JourneyState",
    "available_actions": "readonly ActionType[]",
    "action_type": "ActionType",
    "action": "ActionType | null",
    "code": "ErrorCode",
    "QueueDetail.state": "QueueState",
    "AppointmentDetail.status": "AppointmentStatus",
    "StateDefinitions.journey_states": "readonly JourneyState[]",
    "StateDefinitions.queue_states": "readonly QueueState[]",
    "StateDefinitions.patient_actions": "readonly ActionType[]",
    "StateDefinitions.staff_actions": "readonly ActionType[]",
}
_UNIONS = {
    "ServerMessage": "tell",
    "ClientCommand": "take",
    "BoardServerMessage": "tellBoard",
    "BoardClientCommand": "takeBoard",
    "InboxServerMessage": "tellInbox",
    "InboxClientCommand": "takeInbox",
}
_BESIDE_THE_SOCKET = ("StateDefinitions", "ErrorBody", "PerformAction")
_STRICT = (
    "--strict",
    "--module",
    "esnext",
    "--moduleResolution",
    "bundler",
    "--target",
    "es2022",
    "--lib",
    "es2023,dom",
)


class WrongTypes(Exception):
    """TypeScript has found errors, which the message lists."""


def protocol() -> str:
    """The content of `protocol.d.ts`."""
    rules = shipped()
    people = (*rules.actions_by("patient"), *rules.actions_by("staff"))
    parts = [
        names("JourneyState", rules.journey_states, "A state of a journey, in the order in which patients come to it."),
        names("QueueState", rules.queue_states, "A state of a queue entry."),
        names("AppointmentStatus", rules.appointment_states, "The status of a booking."),
        names("ActionType", dict.fromkeys(people), "An action of patients or staff."),
        names("ErrorCode", sorted(set(_error_codes())), "The code of a refusal."),
        "/** A code with which the socket closes. */\n",
        f"export type CloseCode = {' | '.join(str(each['code']) for each in _channel()['x-close-codes'])};\n",
        *(interface(name, _typed(name, schema)) for name, schema in sorted(_schemas().items())),
        *(_union(name, operation) for name, operation in _UNIONS.items()),
    ]
    return _HEAD + "\n".join(parts).replace("*/\n\n", "*/\n")


def declarations() -> Mapping[str, str]:
    """The content of the other files, by name. Raises WrongTypes where the modules break the types."""
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        for path in modules().values():
            shutil.copy(path, place)
        (place / "protocol.d.ts").write_text(protocol(), "utf-8")
        (place / "node_modules").symlink_to(npm_packages())
        made = ("--allowJs", "--checkJs", "--declaration", "--emitDeclarationOnly", "--outDir", "made")
        typescript(place, *made, *sorted(modules()))
        return {each.name: _HEAD + each.read_text("utf-8") for each in sorted((place / "made").glob("*.d.ts"))}


def typescript(place: Path, *words: str) -> None:
    """Runs TypeScript, strict, in a folder. Raises WrongTypes with what it finds."""
    command = [npm_packages() / ".bin/tsc", *_STRICT, *words]
    finished = subprocess.run(command, cwd=place, check=False, stdout=subprocess.PIPE, text=True)
    if finished.returncode:
        raise WrongTypes(finished.stdout)


def _channel() -> dict[str, Any]:
    return dict(_ASYNCAPI["channels"]["patientJourney"])


def _schemas() -> dict[str, Schema]:
    """The schemas of the socket's messages, and those of the requests that a client makes beside it."""
    found: dict[str, Schema] = dict(_ASYNCAPI["components"]["schemas"])
    wanted = set(_BESIDE_THE_SOCKET)
    while missing := wanted - set(found):
        found |= {name: _OPENAPI["components"]["schemas"][name] for name in missing}
        wanted |= references([found[name] for name in missing])
    return found


def _typed(name: str, schema: Schema) -> Schema:
    """The schema with the names that its members may have. A member of one value is always there: it tells the kind."""
    members = {key: _with_name(name, key, member) for key, member in schema.get("properties", {}).items()}
    kinds = [key for key, member in members.items() if len(member.get("enum", ())) == 1]
    return {**schema, "properties": members, "required": [*schema.get("required", ()), *kinds]}


def _with_name(name: str, key: str, member: Schema) -> Schema:
    named = _NAMED.get(f"{name}.{key}") or _NAMED.get(key)
    if named is None:
        return member
    is_optional = {"type": "null"} in member.get("anyOf", ()) and "null" not in named
    return {"x-type": f"{named} | null" if is_optional else named}


def _union(name: str, operation: str) -> str:
    messages = [each["$ref"].rpartition("/")[2] for each in _ASYNCAPI["operations"][operation]["messages"]]
    return f"export type {name} = {' | '.join(messages)};\n"


def _error_codes() -> Iterator[str]:
    """The codes that the answers to people have."""
    for path, operations in _OPENAPI["paths"].items():
        for operation in operations.values() if not path.startswith(("/api/v1/sync/", "/api/v1/kiosks/")) else ():
            for response in operation["responses"].values():
                name = response.get("$ref", "").rpartition("/")[2]
                yield from (part for part in name.split(".")[1:] if part.islower())


if __name__ == "__main__":
    (LIBRARY / "protocol.d.ts").write_text(protocol(), "utf-8")
    for file, text in declarations().items():
        (LIBRARY / file).write_text(text, "utf-8")
