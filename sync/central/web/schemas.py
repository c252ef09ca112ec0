"""The JSON Schemas of the types of the interface, as components of a document."""

import inspect
import re
from collections.abc import Iterable, Mapping
from types import UnionType
from typing import Any, get_args

import msgspec

_TEMPLATE = "#/components/schemas/{name}"


class Schemas:
    """The schemas of some types: a reference to each, and the components that they share."""

    def __init__(self, kinds: Iterable[Any]) -> None:
        self._kinds = list(dict.fromkeys(part for kind in kinds for part in _parts(kind)))
        found, components = msgspec.json.schema_components(self._kinds, ref_template=_TEMPLATE)
        self._found: tuple[dict[str, Any], ...] = found
        self.components: Mapping[str, Any] = {name: _tidy(each) for name, each in sorted(components.items())}

    def of(self, kind: Any) -> dict[str, Any]:
        """The schema of a type, or a reference to it."""
        forms = [self._found[self._kinds.index(part)] for part in _parts(kind)]
        return forms[0] if len(forms) == 1 else {"anyOf": forms}

    def members(self, kind: Any) -> Mapping[str, Any]:
        """The schemas of the members of a struct, by their names."""
        name = self.of(kind)["$ref"].rpartition("/")[2]
        members: Mapping[str, Any] = self.components[name]["properties"]
        return members


def _parts(kind: Any) -> tuple[Any, ...]:
    """The types of a union. msgspec takes no union of structs without tags."""
    return get_args(kind) if isinstance(kind, UnionType) else (kind,)


def _tidy(schema: Any) -> Any:
    """A schema whose descriptions are text, not docstrings."""
    if isinstance(schema, dict):
        return {name: _text(each) if name == "description" else _tidy(each) for name, each in schema.items()}
    return [_tidy(each) for each in schema] if isinstance(schema, list) else schema


def _text(description: Any) -> Any:
    return unwrapped(description) if isinstance(description, str) else _tidy(description)


def unwrapped(text: str) -> str:
    """A text whose paragraphs and list items have a line each."""
    return re.sub(r"(?<!\n)\n(?!\n|- )", " ", inspect.cleandoc(text))
