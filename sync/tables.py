"""Checks a table of a document (TOML or JSON) against a msgspec struct, key by key.

msgspec finds the first fault alone, and names its place by a path inside the sentence. An editor of the document does
not know such paths. Here every fault is found, and its key is a value of its own.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

UNKNOWN_KEY = "unknown key"
MISSING_KEY = "missing key"


@dataclass(frozen=True, slots=True)
class Misfit:
    """A key of a table, and what is wrong with it: unknown, missing, or msgspec's sentence about its value."""

    key: str
    fault: str


def misfits(kind: type[msgspec.Struct], table: Mapping[str, Any]) -> Iterator[Misfit]:
    """Every key of a table that does not fit the struct. A table without one converts to it."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for key in table:
        if key not in fields:
            yield Misfit(str(key), UNKNOWN_KEY)
    for key, field in fields.items():
        if key in table:
            try:
                msgspec.convert(table[key], field.type)
            except msgspec.ValidationError as error:
                yield Misfit(key, str(error))
        elif field.required:
            yield Misfit(key, MISSING_KEY)
