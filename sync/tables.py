"""A table of a document (TOML or JSON) held against a msgspec struct, key by key.

msgspec names the place of a fault inside its sentence, as a path that a person who edits the document has never seen.
Here the key is a value of its own, and every fault of the table is found, not the first alone.
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
