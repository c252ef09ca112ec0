"""What an order says to the operator when it is done: numbers and reasons, and no person."""

from collections.abc import Iterator
from pathlib import Path

from sync.central.legacy.back import GivenBack
from sync.central.legacy.layout import Layout
from sync.central.legacy.orders import Migrated, Renamed
from sync.central.legacy.reasons import Reason
from sync.central.records.legacy import Fate, Tally

_TRIAL = "this was a trial: nothing was changed"
_BACK = "start the old system, and leave the centre stopped"
_REASONS = {reason.code: reason for reason in Reason}


def migrated(layout: Layout, done: Migrated) -> Iterator[str]:
    """What became of the old rows: a line for each table, and one for each fault with what was done about it."""
    for name in done.absent:
        yield f"there is no column {name}: it is left out, unless the layout names another one"
    for name in done.lacking:
        yield f"a row that the way back adds has no {name}: give it a value in the layout, under `new`"
    for kind in layout.kinds():
        yield from _tallies(layout.tables[kind].table, [each for each in done.tallies if each.kind == kind])
    yield f"the rows that were settled or are bad are listed in {done.listed}"
    if not done.backups:
        yield _TRIAL
        return
    yield f"the backups are {' and '.join(map(str, done.backups))}"
    yield "every row was compared with its source: start the centre, and leave the old system stopped"


def reverted(layout: Layout, given: GivenBack | None, backup: Path | None) -> Iterator[str]:
    """What the old database has been given: a line for each table."""
    if given is None:
        yield f"the old database has everything already: {_BACK}"
        return
    for kind in layout.kinds():
        same, changed, born = given.same[kind], given.changed[kind], given.born[kind]
        yield f"{layout.tables[kind].table}: {same} rows as they were, {changed} changed, {born} new"
    yield f"the backup is {backup}: {_BACK}" if backup else _TRIAL


def renamed(done: Renamed) -> Iterator[str]:
    """A line for each name that changes or is unknown."""
    for each in done.names:
        if each.becomes != each.name:
            what = f"becomes {each.becomes}" if each.becomes else "is unknown, and stays"
            yield f"{each.table}.{each.column}: {each.name!r} {what}, {each.rows} rows"
    yield f"{done.values} values were changed; the backup is {done.backup}" if done.backup else _TRIAL


def renamed_back(values: int, backup: Path | None) -> Iterator[str]:
    """The number of names that came back."""
    yield f"{values} states have their old names again"
    yield f"the backup is {backup}" if backup else _TRIAL


def forgotten(rows: int, *, trial: bool) -> Iterator[str]:
    """The number of old rows that the centre kept."""
    yield f"{rows} old rows for the way back"
    yield _TRIAL if trial else "they were deleted: there is no way back any more"


def _tallies(table: str, own: list[Tally]) -> Iterator[str]:
    taken, settled, bad = (sum(each.rows for each in own if each.fate is fate) for fate in Fate)
    yield f"{table}: {taken + settled + bad} rows, {taken} as they are, {settled} settled, {bad} bad"
    for code in sorted({code for each in own for code in each.reasons}):
        rows = sum(each.rows for each in own if code in each.reasons)
        yield f"  {rows} {_REASONS[code].fate}, {code}: {_REASONS[code].words}"
