"""Rows of the audit that count, such as the patients told to a kiosk in an hour, or the refusals of one token.

What is counted is kept in memory and written every few seconds, so no request waits for a writer, and a flood of
requests is one row. A crash loses what was counted since the last write; a clean stop loses nothing. A row is sealed
after its period. What comes later gets a row of its own.
"""

import hashlib
import itertools
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from sync.central.records.audit_kinds import AuditKind
from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.ids import uuid7

MOST_WAITING = 1000  # tallies in memory; the oldest are given up where the database takes no writes for hours


@dataclass(frozen=True, slots=True)
class Tally:
    """What one row counts, from `begin_ms` to `end_ms`. `about` tells two of one bearer and kind apart."""

    kind: AuditKind
    who: str
    begin_ms: int
    end_ms: int
    about: tuple[str | None, ...] = ()

    def audit_id(self, part: int) -> str:
        """The id of a row: the same for the same tally, also after a restart. `part` counts its rows from 0."""
        named = msgspec.json.encode([self.kind, self.who, self.about, part])
        return uuid7(max(self.begin_ms, 0), hashlib.sha256(named).digest())


@dataclass(frozen=True, slots=True)
class Counted:
    """A number, the time of the last one (UTC ms), and the detail that goes with it."""

    number: int
    at_ms: int
    detail: Mapping[str, Any]


class Tallies:
    """What was counted and is not written yet. May be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counted: dict[Tally, Counted] = {}
        self._added: set[Tally] = set()

    def add(self, tally: Tally, counted: Counted) -> None:
        """Adds to a tally."""
        with self._lock:
            before = self._counted.get(tally)
            self._counted[tally] = _sum(before, counted) if before else counted
            if len(self._counted) > MOST_WAITING:
                del self._counted[next(iter(self._counted))]
            if tally not in self._added:
                self._added = {each for each in self._added if each.begin_ms >= tally.begin_ms} | {tally}

    def of_period(self, begin_ms: int) -> list[Tally]:
        """The tallies that were added in the period that begins at a time."""
        with self._lock:
            return [each for each in self._added if each.begin_ms == begin_ms]

    def take(self) -> dict[Tally, Counted]:
        """Removes and returns what is to be written."""
        with self._lock:
            counted, self._counted = self._counted, {}
            return counted

    def give_back(self, counted: Mapping[Tally, Counted]) -> None:
        """Takes back what could not be written."""
        with self._lock:
            for tally, each in counted.items():
                since = self._counted.get(tally)
                self._counted[tally] = _sum(each, since) if since else each


def write_tally(db: WriteTransaction, tally: Tally, counted: Counted) -> None:
    """Adds a number to the row of a tally, or makes the row: its `count`, and the last time and detail.

    A row that a block has sealed stays as it is, and a further one goes on.
    """
    audit_id, before = _open_row(db, tally)
    db.execute(
        "insert into audit (audit_id, at_ms, who, kind, detail, counts_until_ms)"
        " values (:audit_id, :at_ms, :who, :kind, :detail, :end_ms)"
        " on conflict (audit_id) do update set at_ms = excluded.at_ms, detail = excluded.detail",
        {
            "audit_id": audit_id,
            "at_ms": counted.at_ms,
            "who": tally.who,
            "kind": tally.kind.value,
            "detail": msgspec.json.encode({**counted.detail, "count": before + counted.number}).decode(),
            "end_ms": tally.end_ms,
        },
    )


def _open_row(db: ReadTransaction, tally: Tally) -> tuple[str, int]:
    """The id of the row of a tally that no block has sealed, and its number; 0 where there is none yet."""
    for part in itertools.count():
        audit_id = tally.audit_id(part)
        row = db.row("select detail, block from audit where audit_id = :audit_id", audit_id=audit_id)
        if row is None:
            return audit_id, 0
        if row["block"] is None:
            return audit_id, msgspec.json.decode(row["detail"])["count"]
    raise AssertionError


def _sum(before: Counted, after: Counted) -> Counted:
    return replace(after, number=before.number + after.number)
