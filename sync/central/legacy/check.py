"""The check of a migration against its source, row by row, before it is committed."""

from collections.abc import Callable
from itertools import chain, zip_longest
from typing import Any

from sync.central.legacy.layout import Kind, Layout
from sync.central.legacy.old_database import OldDatabase
from sync.central.legacy.reading import count_rows, read_portions
from sync.central.legacy.take_entries import printed_number
from sync.central.legacy.values import state_of
from sync.central.maintenance.health import check
from sync.central.records.legacy import Fate, count_kept, kept_rows
from sync.central.records.legacy_back import count_lost, present_rows
from sync.central.store.errors import StoreError
from sync.central.store.transactions import ReadTransaction
from sync.journey.definitions import Definitions

_WITH_COUNTERPART = (Kind.APPOINTMENT, Kind.QUEUE, Kind.PATIENT)


def check_against_source(
    db: ReadTransaction, old: OldDatabase, layout: Layout, definitions: Definitions, advance: Callable[[int], None]
) -> None:
    """Reads the old database again. Raises StoreError unless every row of it is kept, what was made of it is there,
    and the centre is well.
    """
    numbers = count_rows(old, layout)
    for kind in layout.kinds():
        there = chain.from_iterable(read_portions(old, layout, kind))
        for row, kept in zip_longest(there, kept_rows(db, kind)):
            if row is None or kept is None or (row.key, row.content) != (kept.old_key, kept.content):
                raise _unlike(old, kind)
            if row.place % _STEP == 0:
                advance(_STEP)
        if numbers[kind] != count_kept(db, kind) or (kind in _WITH_COUNTERPART and count_lost(db, kind)):
            raise _unlike(old, kind)
        advance(numbers[kind] % _STEP)
    _compare_states(db, old, layout, definitions)
    health = check(db, definitions)
    faults = health.orphans, health.inconsistent, health.illegal_transitions, health.stray_bookings
    if any(faults):
        numbers_of_faults = ", ".join(str(len(each)) for each in faults)
        raise StoreError(
            f"{old.shown}: the centre would not be well afterwards ({numbers_of_faults} orphans, inconsistent journeys,"
            " illegal transitions, stray bookings). Nothing was changed"
        )


def _compare_states(db: ReadTransaction, old: OldDatabase, layout: Layout, definitions: Definitions) -> None:
    """Compares the state of each row that was taken as it was, and the number of a queue row."""
    known: dict[Kind, tuple[str, tuple[str, ...]]] = {
        Kind.APPOINTMENT: ("appointment", definitions.appointment_states),
        Kind.QUEUE: ("queue", definitions.queue_states),
        Kind.PATIENT: ("journey", definitions.journey_states),
    }
    for kind in (each for each in _WITH_COUNTERPART if each in layout.kinds()):
        names, columns = list(old.columns(layout.tables[kind].table)), layout.tables[kind].columns
        of_what, states = known[kind]
        for row in present_rows(db, kind, changed=False):
            if row["fate"] != Fate.TAKEN:
                continue
            values: dict[str, Any] = dict(zip(names, old.decode(row["content"]), strict=True))
            expected, _ = state_of(values[columns["state"]], layout.states.get(of_what, {}), states)
            number = printed_number(values.get(columns.get("number", "")))
            if expected != row["state"] or (kind is Kind.QUEUE and number != row["number"]):
                raise _unlike(old, kind)


def _unlike(old: OldDatabase, kind: Kind) -> StoreError:
    return StoreError(f"{old.shown}: the rows of the kind {kind} are not the same here. Nothing was changed")


_STEP = 1000
