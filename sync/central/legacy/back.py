"""The way back: the old database as it was, with all that has changed and come into being in the centre since.

Everything is written in one transaction of the old database, and each row is read again before it ends. A row that has
not changed is not touched. The old database holds either the very rows that were migrated, or none of them.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from sync.central.legacy.born import OldUsers, at_ms, born_values, exam_key
from sync.central.legacy.layout import STATES, Kind, Layout
from sync.central.legacy.marker import read_mark, write_mark
from sync.central.legacy.old_database import OldDatabase, held_to_write, quoted
from sync.central.legacy.reading import read_portions, tables_of
from sync.central.legacy.values import happened_ms, state_of
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.legacy import Migration, count_kept, kept_keys, kept_rows, read_migration, write_migration
from sync.central.records.legacy_back import born_rows, present_rows
from sync.central.store.connection import Row
from sync.central.store.errors import StoreError
from sync.central.store.interface import Store
from sync.central.store.place import Place
from sync.central.store.transactions import ReadTransaction
from sync.clock import iso

PASSES = 2  # over all rows: before and after the writing
_MARK = "given_back"
_CHANGING = (Kind.APPOINTMENT, Kind.QUEUE, Kind.PATIENT)
Advance = Callable[[int], None]


class GivenBack(msgspec.Struct, frozen=True):
    """The numbers of rows by kind: as they were, changed, and new."""

    same: dict[Kind, int]
    changed: dict[Kind, int]
    born: dict[Kind, int]


def demand_migration(db: ReadTransaction, place: Place) -> tuple[Migration, Layout]:
    """The migration into a centre, and its layout. Raises StoreError where there is no way back."""
    found = read_migration(db)
    if found is None:
        raise StoreError(f"{place}: no old database was migrated into this centre")
    layout = msgspec.json.decode(found.layout, type=Layout)
    if not any(count_kept(db, kind) for kind in layout.kinds()):
        raise StoreError(f"{place}: the old rows were deleted by --forget: there is no way back")
    return found, layout


def give_back(
    store: Store,
    old: OldDatabase,
    layout: Layout,
    now_ms: int,
    *,
    who: str,
    trial: bool = False,
    advance: Advance = lambda _: None,
) -> GivenBack | None:
    """Writes the centre's state into the old database; None where that was done already.

    `layout` is that of `demand_migration`, perhaps with other values for new rows. A `trial` does the same and undoes
    it. Raises StoreError, also where the old database holds other rows than those that were migrated.
    """
    given: GivenBack | None = None
    with store.read() as db:
        migration, _ = demand_migration(db, store.place)
        with held_to_write(old, tables_of(layout), trial=trial):
            if not _is_done(old, migration):
                given = _give(db, old, layout, migration, advance)
            write_mark(old, _MARK, {"migrated": str(migration.migrated_ms), "at": iso(now_ms, "UTC")})
    if not trial:
        with store.write() as writing:
            write_migration(writing, msgspec.structs.replace(migration, reverted_ms=now_ms))
            note(writing, who, AuditKind.LEGACY, now_ms, detail={"given_back": given is not None})
    return given


def _is_done(old: OldDatabase, migration: Migration) -> bool:
    mark = read_mark(old, _MARK)
    return mark is not None and mark["migrated"] == str(migration.migrated_ms)


def _give(db: ReadTransaction, old: OldDatabase, layout: Layout, migration: Migration, advance: Advance) -> GivenBack:
    for kind in layout.kinds():
        table = layout.tables[kind]
        if old.count(table.table) == 0:
            _insert_all(db, old, layout, kind)
        if _same_and_others(db, old, layout, kind, advance) != (count_kept(db, kind), 0):
            raise StoreError(
                f"{old.shown}: {table.table} has been written since the migration. Put the backup of the migration"
                " there. Nothing was changed"
            )
        old.settle_numbers(table.table, table.key)
    changed = {kind: _change(db, old, layout, kind) if kind in _CHANGING else 0 for kind in layout.kinds()}
    born = _add_born(db, old, layout, migration.change)
    same = {kind: count_kept(db, kind) - changed[kind] for kind in layout.kinds()}
    for kind in layout.kinds():
        if _same_and_others(db, old, layout, kind, advance) != (same[kind], changed[kind] + born[kind]):
            raise StoreError(f"{old.shown}: {layout.tables[kind].table} has other rows than given. Nothing was changed")
    return GivenBack(same, changed, born)


def _same_and_others(
    db: ReadTransaction, old: OldDatabase, layout: Layout, kind: Kind, advance: Advance
) -> tuple[int, int]:
    """The number of rows of an old table that are the very ones that were migrated, and that of all others."""
    same = others = 0
    for portion in read_portions(old, layout, kind):
        kept = {(each.old_key, each.content) for each in kept_keys(db, kind, {each.key for each in portion})}
        same_here = sum((row.key, row.content) in kept for row in portion)
        same, others = same + same_here, others + len(portion) - same_here
        advance(len(portion))
    return same, others


def _insert_all(db: ReadTransaction, old: OldDatabase, layout: Layout, kind: Kind) -> None:
    table = layout.tables[kind]
    columns = list(old.columns(table.table))
    for kept in kept_rows(db, kind):
        old.insert(table.table, table.key, dict(zip(columns, old.decode(kept.content), strict=True)))


def _change(db: ReadTransaction, old: OldDatabase, layout: Layout, kind: Kind) -> int:
    """Writes into each row what has changed in the centre. Returns the number of such rows."""
    table = layout.tables[kind]
    columns = list(old.columns(table.table))
    written = 0
    for row in present_rows(db, kind, changed=True):
        before = dict(zip(columns, old.decode(row["content"]), strict=True))
        after = _present_values(old, layout, kind, row, before)
        chosen = {name: value for name, value in after.items() if value != before[name]}
        if not chosen:
            continue
        sets = ", ".join(f"{quoted(name)} = ?" for name in chosen)
        here = " and ".join(f"{quoted(name)} {_IS} ?" for name in (table.key, *chosen))
        values = (*chosen.values(), before[table.key], *(before[name] for name in chosen))
        if old.write(f"update {quoted(table.table)} set {sets} where {here}", values) != 1:  # noqa: S608
            raise StoreError(f"{old.shown}: a row of {table.table} could not be written. Nothing was changed")
        written += 1
    return written


def _present_values(
    old: OldDatabase, layout: Layout, kind: Kind, row: Row, before: Mapping[str, Any]
) -> dict[str, Any]:
    """The columns of an old row as the centre has them now. What means the same as before stays as it was written."""
    columns = layout.tables[kind].columns
    state, of_what = columns["state"], STATES[kind]["state"]
    meant, _ = state_of(before[state], layout.states.get(of_what, {}), (row["state"],))
    values = {state: before[state] if meant else layout.old(of_what, row["state"])}
    if kind is not Kind.PATIENT:
        values[columns["exam"]] = exam_key(old, layout, row["exam"])
    elif not meant and row["time_ms"] is not None and columns.get("time") in before:
        values[columns["time"]] = old.moment(at_ms(row["time_ms"], layout.zone))
    if kind is Kind.APPOINTMENT:
        was = before[columns["time"]]
        is_moved = happened_ms(was, layout.zone, row["time_ms"]) != (row["time_ms"], None)
        values[columns["time"]] = old.moment(at_ms(row["time_ms"], layout.zone)) if is_moved else was
    same = {name for name, value in values.items() if str(value) == str(before[name])}
    return {name: before[name] if name in same else value for name, value in values.items()}


def _add_born(db: ReadTransaction, old: OldDatabase, layout: Layout, change: int) -> dict[Kind, int]:
    """Adds what has come into being in the centre. Returns the numbers of rows."""
    users = OldUsers(db, old, layout)
    keys: dict[tuple[Kind, str], Any] = {}  # of the new rows, to which others refer
    numbers = dict.fromkeys(layout.kinds(), 0)
    for kind in layout.kinds():
        table = layout.tables[kind]
        for row in born_rows(db, kind, change):
            values = born_values(old, layout, kind, dict(row), users, keys)
            key = old.insert(table.table, table.key, values)
            if "id" in table.columns:  # the others are referred to by none
                keys[kind, row["id"]] = values.get(table.columns["id"], key)
            numbers[kind] += 1
    return numbers


_IS = "is not distinct from"
