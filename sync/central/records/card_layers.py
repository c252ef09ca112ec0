"""The rows that hold hashes of cards, as a rotation of the card keys walks through them.

Each walk goes in the order of its rows and takes a few at a time, so that no transaction is long.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sync.cards import CardHash
from sync.central.store.transactions import ReadTransaction, WriteTransaction, any_of


@dataclass(frozen=True, slots=True)
class HashTable:
    """A table of rows (key_id, uid_hash, owner). `owner` names its last column."""

    name: str
    owner: str


@dataclass(frozen=True, slots=True)
class HashRow:
    """A card, with the id of the binding, block or action that it belongs to."""

    card: CardHash
    owner: str


@dataclass(frozen=True, slots=True)
class TextColumn:
    """A column of texts that may name cards, and the columns of its table's key."""

    table: str
    column: str
    key: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TextRow:
    """One text, and the place of its row by the key."""

    place: tuple[object, ...]
    text: str


LASTING = (HashTable("binding_hashes", "binding_id"), HashTable("blocked_hashes", "block_id"))
WAITING = HashTable("waiting_cards", "verdict_id")
TABLES = (*LASTING, WAITING)
TEXTS = (
    TextColumn("waiting", "intent", ("verdict_id",)),
    TextColumn("quarantine", "body", ("verdict_id",)),
    TextColumn("transitions", "metadata", ("change", "position")),
)


def count_hashes(db: ReadTransaction, key_ids: Collection[str] = ()) -> dict[str, int]:
    """The number of stored hashes under each key; under `key_ids` alone where there are some."""
    names, parameters = any_of("key", key_ids)
    where = f"where key_id in {names}" if key_ids else ""
    counts: dict[str, int] = {}
    for table in TABLES:
        sql = f"select key_id, count(*) from {table.name} {where} group by key_id"  # noqa: S608
        for key_id, number in db.rows(sql, **parameters):
            counts[key_id] = counts.get(key_id, 0) + number
    return counts


def hash_rows(db: ReadTransaction, table: HashTable, key_id: str, after: HashRow | None, limit: int) -> list[HashRow]:
    """The next rows of a table under a key, in the order of hash and owner."""
    rows = db.rows(
        f"select uid_hash, {table.owner} from {table.name}"  # noqa: S608
        f" where key_id = :key_id and (uid_hash, {table.owner}) > (:uid_hash, :owner)"
        f" order by uid_hash, {table.owner} limit :limit",
        key_id=key_id,
        uid_hash=after.card.uid_hash if after else "",
        owner=after.owner if after else "",
        limit=limit,
    )
    return [HashRow(CardHash(key_id, uid_hash), owner) for uid_hash, owner in rows]


def add_hash_rows(db: WriteTransaction, table: HashTable, rows: Sequence[HashRow]) -> None:
    """Adds rows to a table. Rows that are there already stay."""
    sql = f"insert into {table.name} values (:key_id, :uid_hash, :owner) on conflict do nothing"  # noqa: S608
    db.executemany(sql, _parameters(rows))


def delete_hash_rows(db: WriteTransaction, table: HashTable, rows: Sequence[HashRow]) -> None:
    """Deletes rows of a table."""
    sql = (
        f"delete from {table.name} where key_id = :key_id and uid_hash = :uid_hash"  # noqa: S608
        f" and {table.owner} = :owner"
    )
    db.executemany(sql, _parameters(rows))


def text_rows(db: ReadTransaction, column: TextColumn, after: Sequence[object], limit: int) -> list[TextRow]:
    """The next texts of a column, in the order of the key. `after` is the place of the last one, empty before."""
    keys = ", ".join(column.key)
    places = {f"key{number}": value for number, value in enumerate(after)}
    where = f"where ({keys}) > ({', '.join(f':{name}' for name in places)})" if after else ""
    sql = f"select {keys}, {column.column} from {column.table} {where} order by {keys} limit :limit"  # noqa: S608
    return [TextRow(tuple(row)[:-1], row[-1]) for row in db.rows(sql, **places, limit=limit)]


def set_texts(db: WriteTransaction, column: TextColumn, rows: Sequence[TextRow]) -> None:
    """Replaces texts by those of `rows`. A row that has gone stays gone."""
    where = " and ".join(f"{name} = :key{number}" for number, name in enumerate(column.key))
    sql = f"update {column.table} set {column.column} = :text where {where}"  # noqa: S608
    for row in rows:
        db.execute(sql, {"text": row.text, **{f"key{number}": value for number, value in enumerate(row.place)}})


def _parameters(rows: Sequence[HashRow]) -> list[dict[str, str]]:
    return [{"key_id": row.card.key_id, "uid_hash": row.card.uid_hash, "owner": row.owner} for row in rows]
