"""Takes an old database into a centre: all of it in one transaction, which ends with a check against the source.

A kill, a full disk or a fault leaves the centre as it was. The old database is read under a lock, and never written.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import msgspec

from sync.central.legacy.check import check_against_source
from sync.central.legacy.context import Judged, LegacyContext
from sync.central.legacy.layout import Kind, Layout
from sync.central.legacy.old_database import OldDatabase
from sync.central.legacy.reading import OldRow, read_portions
from sync.central.legacy.take_bookings import take_bookings
from sync.central.legacy.take_entries import take_entries
from sync.central.legacy.take_history import take_logs, take_transitions
from sync.central.legacy.take_patients import take_patients, take_patients_left
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.exams import all_exams
from sync.central.records.legacy import Fate, Migration, Tally, keep_rows, read_migration, tallies, write_migration
from sync.central.records.legacy_back import note_present
from sync.central.records.roster import begin_roster_day
from sync.central.records.site import NoSite, read_site
from sync.central.store.errors import StoreError
from sync.central.store.interface import Store
from sync.central.store.place import Place
from sync.central.store.set_transaction import SetTransaction
from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.clock import iso
from sync.journey.definitions import Definitions

PASSES = 2  # over all rows: one takes, one compares
Advance = Callable[[int], None]
Listen = Callable[[ReadTransaction], None]

_TAKE: Mapping[Kind, Callable[[LegacyContext, Sequence[OldRow]], list[Judged]]] = {
    Kind.APPOINTMENT: take_bookings,
    Kind.QUEUE: take_entries,
    Kind.PATIENT: take_patients,
    Kind.TRANSITION: take_transitions,
    Kind.LOG: take_logs,
}


class _Undone(Exception):
    """A trial has come to its end: everything that it wrote is undone."""


def demand_ready(db: ReadTransaction, place: Place) -> None:
    """Raises StoreError where the centre has no hospital yet, has served patients already, or was migrated into."""
    done = read_migration(db)
    if done is not None:
        raise StoreError(
            f"{place}: {done.source} was migrated into this centre on {iso(done.migrated_ms, 'UTC')} already."
            " Nothing was changed"
        )
    try:
        read_site(db)
    except NoSite as error:
        raise StoreError(f"{place}: {error}, with its exams. Nothing was changed") from error
    if db.row("select 1 from entries limit 1") or db.row("select 1 from transitions limit 1"):
        raise StoreError(
            f"{place}: this centre has served patients already: migrate into a new one. Nothing was changed"
        )


def take_old_database(
    old: OldDatabase,
    layout: Layout,
    store: Store,
    definitions: Definitions,
    now_ms: int,
    *,
    who: str,
    trial: bool = False,
    advance: Advance = lambda _: None,
    listen: Listen = lambda _: None,
) -> list[Tally]:
    """Takes every row, and checks all of them against the source. The caller holds the old database.

    Returns the numbers of rows by kind, fate and reasons. A `trial` does the same and undoes it. `listen` is called
    before the end with the state as it would be. Raises StoreError and sqlite3.Error; the centre is as it was then.
    """
    taken: list[Tally] = []
    with suppress(_Undone), store.write() as db:
        demand_ready(db, store.place)
        taken += _take(db, old, layout, definitions, now_ms, who, advance)
        listen(db)
        db.news.clear()  # all kiosks get a snapshot of the day, and nobody else listens
        _end(trial=trial)
    return taken


def _end(*, trial: bool) -> None:
    if trial:
        raise _Undone


def _take(
    db: WriteTransaction,
    old: OldDatabase,
    layout: Layout,
    definitions: Definitions,
    now_ms: int,
    who: str,
    advance: Advance,
) -> list[Tally]:
    site = read_site(db)
    today = site.day(now_ms)
    exams = all_exams(db)

    def context() -> LegacyContext:
        return LegacyContext(SetTransaction(db), definitions, site, exams, layout, today, now_ms)

    for kind in layout.kinds():
        for portion in read_portions(old, layout, kind):
            of_portion = context()
            judged = _TAKE[kind](of_portion, portion)
            of_portion.db.flush()
            keep_rows(db, [each.kept(kind) for each in judged])
            db.news.clear()
            advance(len(portion))
        if kind is Kind.PATIENT:
            take_patients_left(context())
    begin_roster_day(db, definitions, today)
    note_present(db)
    write_migration(db, Migration(old.shown, msgspec.json.encode(layout).decode(), now_ms, db.latest_change()))
    found = tallies(db)
    note(db, who, AuditKind.LEGACY, now_ms, detail={fate.value: _number(found, fate) for fate in Fate})
    check_against_source(db, old, layout, definitions, advance)
    return found


def _number(found: Sequence[Tally], fate: Fate) -> int:
    return sum(each.rows for each in found if each.fate is fate)
