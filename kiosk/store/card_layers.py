"""Lifts the stored hashes of cards to the newest key, after the centre has sent one.

Every function takes the connection of an open transaction.
"""

import sqlite3

from sync.cards import CardHash, CardKeys

_TABLES = ("bindings", "blocked_cards")


def has_older(connection: sqlite3.Connection, keys: CardKeys) -> bool:
    """Whether a card is stored under an older key than the newest one."""
    return _first_older(connection, keys) is not None


def lift_some(connection: sqlite3.Connection, keys: CardKeys, limit: int) -> None:
    """Lifts at most `limit` cards to the newest key."""
    found = _first_older(connection, keys)
    if found is None:
        return
    table, key_id = found
    rows = connection.execute(
        f"select uid_hash from {table} where key_id = ? limit ?",  # noqa: S608
        (key_id, limit),
    ).fetchall()
    older = [CardHash(key_id, uid_hash) for (uid_hash,) in rows]
    lifted = [(new.key_id, new.uid_hash, key_id, old.uid_hash) for old in older for new in (keys.lift(old),)]
    connection.executemany(
        # During a rotation at the centre a page brings a card under both keys.
        f"update or replace {table} set key_id = ?, uid_hash = ? where key_id = ? and uid_hash = ?",  # noqa: S608
        lifted,
    )
    # What is no hash stays under its key, and no card has it.
    connection.executemany(
        f"delete from {table} where key_id = ? and uid_hash = ?",  # noqa: S608
        [(key_id, old.uid_hash) for old in older],
    )


def _first_older(connection: sqlite3.Connection, keys: CardKeys) -> tuple[str, str] | None:
    """A table with a card under an older key, and the id of that key."""
    for table in _TABLES:
        for key_id in keys.ids[:-1]:
            if connection.execute(f"select 1 from {table} where key_id = ? limit 1", (key_id,)).fetchone():  # noqa: S608
                return table, key_id
    return None
