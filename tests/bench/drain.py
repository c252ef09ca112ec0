"""A drain by itself: 100,000 actions wait at a kiosk, and go to a real centre as fast as both ends can.

It is held against the same rows written without any centre, and against one request an action. The rows are those that
the centre has after the drain and had not before it, in `TABLES`. They go into a copy of the centre's database from
before the drain, in transactions of 500 actions, each table by one `executemany`. The copy has the centre's schema and
indexes, and the same pragmas.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from sync.database_file import connect
from tests.bench.backlog_kiosk import Drain
from tests.bench.figures import Figure
from tests.reliability.ends import STEPS, Centre

ACTIONS = 99_999  # of people who do three steps each
SINGLE = 999
AT_ONCE = 500  # actions of one transaction of the plain rows
TABLES = ("visits", "entries", "transitions", "entry_history", "actions", "receipts", "verdicts", "effects")
_PRAGMAS = ("journal_mode=wal", "synchronous=full", "foreign_keys=on", "temp_store=memory")


def measure(directory: Path) -> list[Figure]:
    """The rates in actions a second, and their ratios."""
    centre = Centre(directory / "centre", (ACTIONS + SINGLE) // len(STEPS) + 1)
    kiosk = Drain(directory / "kiosk", centre.places.central_url, centre.enrol_code())
    try:
        kiosk.pull()
        single = kiosk.rate(SINGLE, centre.places.central_url, 1)
        kiosk.fill(ACTIONS)
        database = centre.places.directory / "central.db"
        _copy(database, directory / "before.db")
        drained = kiosk.drain()
    finally:
        kiosk.kiosk.close()
        centre.program.stop()
    plain = _plain(directory / "before.db", _new_rows(database, directory / "before.db"))
    return [
        Figure(f"{ACTIONS} actions drain, loopback", f"{drained:.0f} /s"),
        Figure(f"the same rows by executemany, {AT_ONCE} actions a transaction", f"{plain:.0f} /s"),
        Figure("one request an action, loopback", f"{single:.0f} /s"),
        Figure("drain / the same rows", f"{100 * drained / plain:.1f} %", "≥ 15 %"),
        Figure("drain / one request an action", f"{drained / single:.1f}", "≥ 25"),
    ]


def _copy(database: Path, copy: Path) -> None:
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)


def _new_rows(database: Path, before: Path) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of the tables that `before` has not."""
    with closing(sqlite3.connect(database)) as db:
        db.execute("attach ? as before", (str(before),))
        queries = {table: f"select * from main.{table} except select * from before.{table}" for table in TABLES}
        return {table: db.execute(query).fetchall() for table, query in queries.items()}


def _plain(copy: Path, rows: dict[str, list[tuple[Any, ...]]]) -> float:
    """Writes the rows. Returns actions a second."""
    portions = ACTIONS // AT_ONCE + 1
    with closing(connect(copy, cached_statements=512)) as db:
        for pragma in _PRAGMAS:
            db.execute(f"pragma {pragma}")
        begin = time.perf_counter()
        for number in range(portions):
            db.execute("begin immediate")
            for table, all_rows in rows.items():
                portion = _portion(all_rows, number, portions)
                places = ", ".join("?" * len(all_rows[0]))
                db.executemany(f"insert into {table} values ({places})", portion)
            db.execute("commit")
        return ACTIONS / (time.perf_counter() - begin)


def _portion(rows: Sequence[tuple[Any, ...]], number: int, portions: int) -> Sequence[tuple[Any, ...]]:
    return rows[len(rows) * number // portions : len(rows) * (number + 1) // portions]
