"""Cards that were reported lost, by their keyed hashes. Such a card opens nobody.

Every function takes the connection of an open transaction, or of one that reads.
"""

import sqlite3
from collections.abc import Iterable

from sync.cards import CardHash

Connection = sqlite3.Connection


def is_blocked(connection: Connection, cards: Iterable[CardHash]) -> bool:
    """Whether one of a card's hashes is blocked."""
    return any(
        connection.execute(
            "select 1 from blocked_cards where key_id = ? and uid_hash = ?", (card.key_id, card.uid_hash)
        ).fetchone()
        for card in cards
    )


def block(connection: Connection, cards: Iterable[CardHash]) -> None:
    """Blocks cards. A block of the last snapshot that is named again stays."""
    connection.executemany(
        "insert or replace into blocked_cards values (?, ?, 1)", [(card.key_id, card.uid_hash) for card in cards]
    )


def unblock(connection: Connection, cards: Iterable[CardHash]) -> None:
    """Unblocks cards."""
    connection.executemany(
        "delete from blocked_cards where key_id = ? and uid_hash = ?", [(card.key_id, card.uid_hash) for card in cards]
    )


def begin_snapshot(connection: Connection) -> None:
    """Marks every card as not named yet by the snapshot. The cards stay blocked until the snapshot is complete."""
    connection.execute("update blocked_cards set named = 0")


def end_snapshot(connection: Connection) -> None:
    """Unblocks the cards that the snapshot has not named."""
    connection.execute("delete from blocked_cards where named = 0")
