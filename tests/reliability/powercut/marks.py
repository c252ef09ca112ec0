"""The marks of a recorded process in its own journal: the step that has returned, and the content of the store then."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from tests.reliability import preload
from tests.reliability.powercut.journal import Event, Kind


class Connection(Protocol):
    """A connection for SQL."""

    def execute(self, sql: str, /) -> Any: ...


class Step(msgspec.Struct, frozen=True):
    """A step that has returned, with the actions that it acknowledged, or that the store refused."""

    number: int
    kind: str
    actions: tuple[str, ...] = ()
    refused: bool = False


class Held(msgspec.Struct, frozen=True):
    """The digest of the store after a step."""

    number: int
    digest: str


@dataclass(frozen=True, slots=True)
class History:
    """The marks of a recorded process.

    `returned[n]` is the index of the event at which step n + 1 had returned, `steps[n]` is that step, and `held[n]` the
    digest of the store then. `after` gives the numbers of the steps for a digest.
    """

    returned: Sequence[int]
    steps: Sequence[Step]
    held: Sequence[str]
    after: dict[str, list[int]]

    def acknowledged(self, cut: int) -> int:
        """The number of the last step that had returned before the event of index `cut`."""
        return bisect_left(self.returned, cut)

    def in_doubt(self, acknowledged: int) -> bool:
        """Whether the last saved state is uncertain: a step was refused and no step was saved since, or the next step
        is refused.

        The refused step may be stored completely until another step is saved: its commit was written, and only the sync
        failed.
        """
        under_way = self.steps[acknowledged : acknowledged + 1]
        for n in range(acknowledged - 1, 0, -1):
            if self.steps[n].refused:
                return True
            if self.held[n] != self.held[n - 1]:
                break
        return any(step.refused for step in under_way)


def mark(step: Step, digest: str) -> None:
    """Writes a step and the digest of the store after it into the journal of this process."""
    for each in (step, Held(step.number, digest)):
        preload.mark(msgspec.json.encode(each).decode())


def history(events: Sequence[Event]) -> History:
    """Reads the marks."""
    returned, steps, held, after = [], [], [], dict[str, list[int]]()
    for index, event in enumerate(events):
        if event.kind is not Kind.MARKED:
            continue
        content = msgspec.json.decode(event.payload)
        if "digest" in content:
            state = msgspec.convert(content, Held)
            held.append(state.digest)
            after.setdefault(state.digest, []).append(state.number)
        else:
            returned.append(index)
            steps.append(msgspec.convert(content, Step))
    return History(returned, steps, held, after)


def digest(db: Connection, tables: Iterable[str]) -> str:
    """SHA-256 (hex) of the content of these tables."""
    whole = hashlib.sha256()
    for table in tables:
        for row in db.execute(f"select * from {table}"):
            whole.update(repr(tuple(row)).encode())
    return whole.hexdigest()
