"""The migration of the system that was here before, and every row of its database, as rows."""

from collections.abc import Collection, Iterable, Iterator
from enum import StrEnum

import msgspec

from sync.central.store.connection import Row
from sync.central.store.transactions import ReadTransaction, WriteTransaction, each_of

_AT_ONCE = 1000


class Fate(StrEnum):
    """What became of an old row: taken as it was, taken after a fault was settled, or bad, and kept as it was."""

    TAKEN = "taken"
    SETTLED = "settled"
    BAD = "bad"


class Migration(msgspec.Struct, frozen=True):
    """A migration. `layout` is JSON, and `change` its last change number: what is newer was born here."""

    source: str
    layout: str
    migrated_ms: int
    change: int
    reverted_ms: int | None = None


class KeptRow(msgspec.Struct, frozen=True):
    """An old row as it was there: `content` is its values as JSON. `our_id` is the id of what was made of it."""

    kind: str
    place: int
    old_key: str
    fate: Fate
    reasons: tuple[str, ...]
    our_id: str | None
    content: str


class Tally(msgspec.Struct, frozen=True):
    """The number of old rows of a kind with the same fate for the same reasons."""

    kind: str
    fate: Fate
    reasons: tuple[str, ...]
    rows: int


def read_migration(db: ReadTransaction) -> Migration | None:
    """The migration into this database; None where there was none."""
    row = db.row("select source, layout, migrated_ms, change, reverted_ms from legacy_migration")
    return Migration(*row) if row else None


def write_migration(db: WriteTransaction, migration: Migration) -> None:
    """Writes the migration, in place of what was written of it before."""
    db.execute(
        "insert into legacy_migration values (1, :source, :layout, :migrated_ms, :change, :reverted_ms)"
        " on conflict (id) do update set reverted_ms = excluded.reverted_ms",
        msgspec.structs.asdict(migration),
    )


def keep_rows(db: WriteTransaction, rows: Iterable[KeptRow]) -> None:
    """Keeps old rows. What was made of them is noted at the end, by `note_present`."""
    db.executemany(
        "insert into legacy_rows values (?, ?, ?, ?, ?, ?, null, ?)",
        [(r.kind, r.place, r.old_key, r.fate.value, " ".join(r.reasons), r.our_id, r.content) for r in rows],
    )


def kept_ids(db: ReadTransaction, kind: str, ids: Collection[str]) -> set[str]:
    """Those of these ids that were made of an old row of the kind already."""
    names, parameters = each_of("id", ids)
    rows = db.rows(
        f"select our_id from legacy_rows where kind = :kind and our_id in {names}",  # noqa: S608 (placeholders only)
        kind=kind,
        **parameters,
    )
    return {row["our_id"] for row in rows}


def kept_keys(db: ReadTransaction, kind: str, keys: Collection[str]) -> list[KeptRow]:
    """The old rows of a kind with these old keys, by place."""
    names, parameters = each_of("key", keys)
    rows = db.rows(
        f"select {_COLUMNS} from legacy_rows where kind = :kind and place in (select place from legacy_rows"  # noqa: S608
        f" where kind = :kind and old_key in {names}) order by place",
        kind=kind,
        **parameters,
    )
    return [_kept(row) for row in rows]


def kept_rows(db: ReadTransaction, kind: str, *, faulty: bool = False) -> Iterator[KeptRow]:
    """Every old row of a kind, or each that was settled or is bad, in the order of the old database."""
    place, fate = 0, "and fate <> 'taken'" if faulty else ""
    while True:
        rows = db.rows(
            f"select {_COLUMNS} from legacy_rows where kind = :kind and place > :place {fate}"  # noqa: S608
            " order by place limit :limit",
            kind=kind,
            place=place,
            limit=_AT_ONCE,
        )
        yield from map(_kept, rows)
        if len(rows) < _AT_ONCE:
            return
        place = rows[-1]["place"]


def settle_kept(db: WriteTransaction, kind: str, our_id: str, reason: str) -> None:
    """Adds a reason to the old row that something was made of: a later row has settled it."""
    # The inner query needs an index alone. By itself SQLite would walk over all rows of the kind.
    db.execute(
        "update legacy_rows set fate = :fate, reasons = trim(reasons || ' ' || :reason)"
        " where kind = :kind and place = (select place from legacy_rows where kind = :kind and our_id = :our_id)"
        " and (' ' || reasons || ' ') not like '% ' || :reason || ' %'",
        {"kind": kind, "our_id": our_id, "reason": reason, "fate": Fate.SETTLED.value},
    )


def count_kept(db: ReadTransaction, kind: str) -> int:
    """The number of old rows of a kind."""
    return int(db.value("select count(*) from legacy_rows where kind = :kind", kind=kind))


def tallies(db: ReadTransaction) -> list[Tally]:
    """The numbers of old rows by kind, fate and reasons."""
    rows = db.rows(
        "select kind, fate, reasons, count(*) as rows from legacy_rows group by kind, fate, reasons"
        " order by kind, fate, reasons"
    )
    return [Tally(row["kind"], Fate(row["fate"]), tuple(row["reasons"].split()), row["rows"]) for row in rows]


def forget_kept_rows(db: WriteTransaction) -> None:
    """Deletes every old row: there is no way back then."""
    db.execute("delete from legacy_rows")


def _kept(row: Row) -> KeptRow:
    return KeptRow(
        row["kind"],
        row["place"],
        row["old_key"],
        Fate(row["fate"]),
        tuple(row["reasons"].split()),
        row["our_id"],
        row["content"],
    )


_COLUMNS = "kind, place, old_key, fate, reasons, our_id, content"
