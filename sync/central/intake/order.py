"""How a document is to be taken, and what becomes of it: what the process that takes it is told, and answers."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

MOST_LISTED = 1000  # refused rows, and notes, of a result

Outcome = Literal["taken", "some_refused", "failed"]


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """How a document is to be taken, as `kiosk-central import` has it. `socket` is the control socket of the service.

    `name` is the document's in messages, `by` who sent it, for the audit.
    """

    socket: str
    name: str
    by: str
    form: Literal["JSON", "CSV"] | None = None
    encoding: str | None = None
    kind: str | None = None
    ignored_columns: tuple[str, ...] = ()
    complete_days: tuple[str, ...] = ()
    strict: bool = False
    check: bool = False
    force: bool = False


class KindCounts(msgspec.Struct, frozen=True):
    """The rows of one kind. `waiting` were not reached."""

    changed: int
    unchanged: int
    refused: int
    waiting: int


class Refusal(msgspec.Struct, frozen=True):
    """A refused row: its line, its kind and its id, and why. A day of the request has no line."""

    line: int | None
    kind: str
    id: str | None
    reason: str


class Remark(msgspec.Struct, frozen=True):
    """A row that was taken, but not whole."""

    line: int | None
    kind: str
    id: str | None
    note: str


class Report(msgspec.Struct, frozen=True):
    """What became of the rows of a document. `refusals` and `notes` have the first 1,000; `refused` counts all."""

    encoding: str
    form: str
    checked_only: bool
    rows: Mapping[str, KindCounts]
    cards: int
    cancelled: int
    refused: int
    refusals: tuple[Refusal, ...]
    notes: tuple[Remark, ...]


class Result(msgspec.Struct, frozen=True):
    """What became of a document. `failed`: nothing could be done, or it was stopped in the middle, as `error` says.

    What was taken before that stays. The same document, sent again, completes it, unless it `is_broken`.
    """

    outcome: Outcome
    error: str | None = None
    report: Report | None = None
    is_broken: bool = False


def report_of(values: Mapping[str, Any]) -> Report:
    """The report of a run, which lists every row, with the first thousand."""
    lists = {name: values[name][:MOST_LISTED] for name in ("refusals", "notes")}
    return msgspec.convert({**values, **lists}, Report)
