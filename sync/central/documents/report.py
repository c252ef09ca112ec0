"""What became of a document: in words for an operator, and in JSON for a program. Ids alone, no name and no card."""

from collections.abc import Iterator
from typing import Any

import msgspec

from sync.central.documents.rows import KINDS, OtherKind
from sync.central.documents.spool import KindCount, Remark, Spool
from sync.central.imports.parts import Kind

_MOST_SHOWN = 50


class Counts(msgspec.Struct, frozen=True):
    """The rows of one kind. `waiting`: not taken and not refused, since the command ended before.

    `changed` are new and changed records.
    """

    changed: int
    unchanged: int
    refused: int
    waiting: int


class Report(msgspec.Struct, frozen=True):
    """The numbers of a run. `cards` are those that were bound or ended, `cancelled` the bookings of complete days."""

    encoding: str
    form: str
    checked_only: bool
    rows: dict[str, Counts]
    cards: int
    cancelled: int

    def counts(self) -> dict[str, Any]:
        """The report as JSON values."""
        return dict(msgspec.to_builtins(self))

    @property
    def refused(self) -> int:
        """The number of refused rows and days."""
        return sum(each.refused for each in self.rows.values())

    @property
    def taken(self) -> int:
        """The number of rows and days that were taken, or would be."""
        return sum(each.changed + each.unchanged for each in self.rows.values())

    @property
    def waiting(self) -> int:
        """The number of rows and days that nobody has judged."""
        return sum(each.waiting for each in self.rows.values())


def make_report(spool: Spool, encoding: str, form: str, *, checked_only: bool) -> Report:
    """The numbers of the rows of a spool."""
    counts = {kind: spool.count(kind) for kind in KINDS}
    return Report(
        encoding,
        form,
        checked_only,
        {str(kind): _counts(each) for kind, each in counts.items()},
        sum(each.cards for each in counts.values()),
        sum(each.cancelled for each in counts.values()),
    )


def _counts(count: KindCount) -> Counts:
    waiting = count.rows - count.taken - count.refused
    return Counts(count.changed, count.taken - count.changed, count.refused, waiting)


def in_words(report: Report) -> Iterator[str]:
    """The lines for an operator."""
    for kind in Kind:
        counts = report.rows[kind]
        if any(msgspec.structs.astuple(counts)):
            yield f"{kind}: {counts.changed} new or changed, {counts.unchanged} unchanged, {_rest(counts)}"
    if any(msgspec.structs.astuple(report.rows[Kind.PATIENT])):
        yield f"cards: {report.cards} bound or ended"
    days = report.rows[OtherKind.COMPLETE_DAY]
    if any(msgspec.structs.astuple(days)):
        yield f"complete days: {days.unchanged} taken, {_rest(days)}; {report.cancelled} bookings cancelled"
    if not any(any(msgspec.structs.astuple(each)) for each in report.rows.values()):
        yield "there is no row in it"
    encoding = report.encoding.removesuffix("-sig").upper()
    yield f"read as {report.form} in {encoding}" + ("; nothing was written" if report.checked_only else "")


def _rest(counts: Counts) -> str:
    return f"{counts.refused} refused" + (f", {counts.waiting} not reached" if counts.waiting else "")


def remarks_in_words(spool: Spool, refused: int) -> Iterator[str]:
    """A line for each refused row, up to fifty of them, and for each taken row with a note, up to fifty."""
    yield from _some(spool.refusals(), "", refused)
    yield from _some(spool.notes(), "taken, but ", spool.count_notes())


def _some(remarks: Iterator[Remark], before: str, of: int) -> Iterator[str]:
    for number, remark in enumerate(remarks):
        if number == _MOST_SHOWN:
            yield f"and {of - number:,} more (--json lists all)"
            return
        yield f"{_place(remark)}: {before}{remark.text}"


def _place(remark: Remark) -> str:
    line = f"line {remark.line}, " if remark.line else ""
    return f"{line}{remark.kind}" + (f" {remark.row_id}" if remark.row_id else "")


def as_json(report: Report, spool: Spool) -> dict[str, Any]:
    """The numbers, every refused row and every note, as JSON values."""
    return {
        **report.counts(),
        "refused": report.refused,
        "refusals": [_remark(each, "reason") for each in spool.refusals()],
        "notes": [_remark(each, "note") for each in spool.notes()],
    }


def _remark(remark: Remark, name: str) -> dict[str, Any]:
    return {"line": remark.line or None, "kind": remark.kind, "id": remark.row_id, name: remark.text}
