"""What a recorded process says into its own journal: the step that has returned, and what its store holds then."""

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
    """What can be asked in SQL."""

    def execute(self, sql: str, /) -> Any: ...


class Step(msgspec.Struct, frozen=True):
    """Step `number` has returned, and these actions were acknowledged by it; or the store refused it."""

    number: int
    kind: str
    actions: tuple[str, ...] = ()
    refused: bool = False


class Held(msgspec.Struct, frozen=True):
    """What the store held after step `number`, as a digest."""

    number: int
    digest: str


@dataclass(frozen=True, slots=True)
class History:
    """What the recorded process told: `returned[n]` is the index of the event at which step n + 1 had returned,
    `steps[n]` what it did, and `held[n]` what the store held then. `after` leads from there to the step's number."""

    returned: Sequence[int]
    steps: Sequence[Step]
    held: Sequence[str]
    after: dict[str, list[int]]

    def acknowledged(self, cut: int) -> int:
        """The number of the last step that had returned before the event of that index."""
        return bisect_left(self.returned, cut)

    def in_doubt(self, acknowledged: int) -> bool:
        """Whether a step was refused and nothing has been saved since, or the one under way will be. It may be there,
        whole, until another one is saved: its commit had been written, and only to make that safe had failed."""
        under_way = self.steps[acknowledged : acknowledged + 1]
        for n in range(acknowledged - 1, 0, -1):
            if self.steps[n].refused:
                return True
            if self.held[n] != self.held[n - 1]:
                break
        return any(step.refused for step in under_way)


def mark(step: Step, digest: str) -> None:
    """Says both into the journal of this very process. `digest` is worked out by reading alone."""
    for told in (step, Held(step.number, digest)):
        preload.mark(msgspec.json.encode(told).decode())


def history(events: Sequence[Event]) -> History:
    """Reads the marks."""
    returned, steps, held, after = [], [], [], dict[str, list[int]]()
    for index, event in enumerate(events):
        if event.kind is not Kind.MARKED:
            continue
        told = msgspec.json.decode(event.payload)
        if "digest" in told:
            now = msgspec.convert(told, Held)
            held.append(now.digest)
            after.setdefault(now.digest, []).append(now.number)
        else:
            returned.append(index)
            steps.append(msgspec.convert(told, Step))
    return History(returned, steps, held, after)


def digest(db: Connection, tables: Iterable[str]) -> str:
    """Everything that these tables hold, as a SHA-256."""
    whole = hashlib.sha256()
    for table in tables:
        for row in db.execute(f"select * from {table}"):
            whole.update(repr(tuple(row)).encode())
    return whole.hexdigest()
