"""Recovers what can be read of a damaged store into a new one, row by row.

Actions, numbers and the kiosk's identity exist here alone. Patients and cards come again with the next snapshot.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from kiosk.store import audit
from kiosk.store.identity import Identity, read_identity
from kiosk.store.migrate import migrate
from kiosk.store.outbox_epochs import start_epoch
from sync.protocol import Verdict

Connection = sqlite3.Connection

SALVAGED = "salvaged"  # the kind of the audit row that says what was recovered
# The key of each table: rows are read in its order, from both ends.
_TABLES = {
    "identity": "id",
    "outbox": "rowid",
    "queue_numbers": "site_day",
    "number_uses": "queue_number",
    "patient_aliases": "alias_id",
    "audit": "audit_id",
}
_STATUSES = ("pending", *(verdict.value for verdict in Verdict))
_SKIPPED_NUMBERS = 100  # after a loss: more than a kiosk gives in an hour


@dataclass(frozen=True, slots=True)
class Salvaged:
    """The result: the number of recovered actions, of actions known to be lost, and whether the identity is there."""

    actions: int
    lost: int
    is_enrolled: bool

    @property
    def words(self) -> str:
        """The result for operators."""
        said = f"{self.actions} actions recovered, {self.lost} lost"
        return said if self.is_enrolled else f"{said}; the kiosk's identity is lost: kiosk enroll"


def salvage(source: Connection, target: Connection, at_ms: int, parts: Iterable[Connection] = ()) -> Salvaged:
    """Copies every readable row of a damaged store into a new database, and begins a new epoch there.

    `parts` show some of the actions each, where the way to them in `source` is damaged. The roster is as before a first
    pull. `at_ms` is UTC ms. Raises sqlite3.Error where the target cannot be written.
    """
    _read_any_text(source)
    target.row_factory = sqlite3.Row
    migrate(target)
    target.execute("begin immediate")
    for table, key in _TABLES.items():
        _copy_table(source, target, table, key)
    for part in parts:
        _read_any_text(part)
        _copy_table(part, target, "outbox", _TABLES["outbox"])
    lost = _copy_by_index(source, target)
    _mend(target)
    if lost or not _number(target, "queue_numbers"):
        _skip_numbers(target)
    identity = _sound_identity(target)
    salvaged = Salvaged(_number(target, "outbox"), lost, is_enrolled=identity is not None)
    if identity:
        target.execute("update identity set cursor = 0, as_of_ms = null, as_of_clock = null")
        start_epoch(target, identity.kiosk_id, identity.epoch + 1)
    audit.note(target, at_ms, SALVAGED, salvaged.words)
    target.execute("commit")
    return salvaged


def last_salvage(connection: Connection) -> str | None:
    """What the last salvage has recovered, in words; None where there was none."""
    row = connection.execute(
        "select detail from audit where kind = ? order by audit_id desc limit 1", (SALVAGED,)
    ).fetchone()
    return row[0] if row else None


def _read_any_text(source: Connection) -> None:
    source.text_factory = lambda raw: raw.decode("utf-8", "replace")
    source.row_factory = None


def _copy_table(source: Connection, target: Connection, table: str, key: str) -> None:
    """Copies from each end of a table up to the first row that cannot be read."""
    columns = _columns(target, table)
    for order in ("asc", "desc"):
        for row in _readable(source, f"select {columns} from {table} order by {key} {order}"):  # noqa: S608
            _insert(target, table, columns, row)


def _copy_by_index(source: Connection, target: Connection) -> int:
    """Copies actions that lie between damaged pages, each by its place. Returns the number that cannot be read."""
    there = {row[0] for row in target.execute("select action_id from outbox")}
    columns, lost = _columns(target, "outbox"), 0
    named = _readable(source, "select action_id, rowid from outbox indexed by sqlite_autoindex_outbox_1")
    for action_id, place in named:
        if action_id in there:
            continue
        rows = list(_readable(source, f"select {columns} from outbox where rowid = ?", (place,)))  # noqa: S608
        lost += not any(_insert(target, "outbox", columns, row) for row in rows)
    return lost


def _columns(target: Connection, table: str) -> str:
    names = [row["name"] for row in target.execute(f"pragma table_info({table})")]
    return ", ".join(["rowid", *names] if table == "outbox" else names)


def _readable(source: Connection, query: str, values: Sequence[object] = ()) -> Iterator[tuple[object, ...]]:
    """The rows of a query, up to the first one that cannot be read."""
    with suppress(sqlite3.Error, ValueError):
        yield from source.execute(query, values)


def _insert(target: Connection, table: str, columns: str, row: Sequence[object]) -> bool:
    """Adds a row. Returns False where it is there already, or its values are none that the table takes."""
    places = ", ".join("?" * len(row))
    try:
        added = target.execute(f"insert or ignore into {table} ({columns}) values ({places})", row)  # noqa: S608
    except (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.InterfaceError):
        return False
    return added.rowcount == 1


def _mend(target: Connection) -> None:
    """Sends actions again whose status cannot be read: the centre knows the ids of those that it has judged."""
    places = ", ".join("?" * len(_STATUSES))
    target.execute(
        f"update outbox set status = 'pending', code = null, held = null, revision = 0 where status not in ({places})",  # noqa: S608
        _STATUSES,
    )


def _skip_numbers(target: Connection) -> None:
    """Leaves numbers out that a lost row may have given: they are on paper, and must not be given twice."""
    target.execute(
        "insert or ignore into queue_numbers (site_day, used) select max(site_day), count(*) from outbox"
        " having max(site_day) is not null"
    )
    target.execute("update queue_numbers set used = used + ?", (_SKIPPED_NUMBERS,))


def _sound_identity(target: Connection) -> Identity | None:
    try:
        return read_identity(target)
    except (ValueError, RecursionError):
        target.execute("delete from identity")
        return None


def _number(target: Connection, table: str) -> int:
    return int(target.execute(f"select count(*) from {table}").fetchone()[0])  # noqa: S608
