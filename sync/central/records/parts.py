"""Rows of several kinds in one query, each kind a part of it with the columns that it needs.

Where the database is another machine, each query costs a way over the network, and here too each has its price. The
parts of a union have columns of the same types, so a part fills texts and numbers from the left, and the rest is null.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sync.central.store.transactions import ReadTransaction

_TEXTS = 12  # of the part that has most of them
_NUMBERS = 6  # likewise
_FIRST_NUMBER = 1 + _TEXTS


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of one kind: SQL for their texts and for their numbers."""

    kind: str
    texts: tuple[str, ...]
    numbers: tuple[str, ...] = ()

    def of(self, source: str) -> str:
        """The part as a query. `source` is its `from …`."""
        texts = (*self.texts, *("cast(null as text)" for _ in range(_TEXTS - len(self.texts))))
        numbers = (*self.numbers, *("cast(null as bigint)" for _ in range(_NUMBERS - len(self.numbers))))
        return f"select '{self.kind}', {', '.join((*texts, *numbers))} {source}"

    def values(self, row: Any) -> tuple[Any, ...]:
        """The texts of a row of this kind, and after them its numbers."""
        texts: tuple[Any, ...] = row[1 : 1 + len(self.texts)]
        return texts + row[_FIRST_NUMBER : _FIRST_NUMBER + len(self.numbers)] if self.numbers else texts


Rows = Mapping[str, Sequence[tuple[Any, ...]]]


def by_kind(*parts: Part) -> Mapping[str, Part]:
    """Parts by their kinds."""
    return {part.kind: part for part in parts}


def read_parts(db: ReadTransaction, query: str, parts: Mapping[str, Part], parameters: Mapping[str, object]) -> Rows:
    """The rows by their kind, each as `Part.values()` gives it. `query` is a union of some of the parts."""
    rows: dict[str, list[tuple[Any, ...]]] = {kind: [] for kind in parts}
    for row in db.execute(query, parameters):
        kind = row[0]
        rows[kind].append(parts[kind].values(row))
    return rows
