"""Cards that were reported lost, by their keyed hashes. Such a card opens nobody.

Every function takes the connection of an open transaction, or of one that reads.
"""

import sqlite3
from collections.abc import Iterable

from sync.cards import CardHash

Connection = sqlite3.Connection


def block(connection: Connection, cards: Iterable[CardHash], generation: int) -> None:
    """Blocks cards that a page of this generation of the roster names."""
    connection.executemany(
        "insert or replace into blocked_cards values (?, ?, ?)",
        [(card.key_id, card.uid_hash, generation) for card in cards],
    )


def unblock(connection: Connection, cards: Iterable[CardHash]) -> None:
    """Unblocks cards."""
    connection.executemany(
        "delete from blocked_cards where key_id = ? and uid_hash = ?", [(card.key_id, card.uid_hash) for card in cards]
    )


def unblock_unnamed(connection: Connection, generation: int) -> None:
    """Unblocks the cards of earlier generations of the roster: the snapshot has not named them."""
    connection.execute("delete from blocked_cards where generation < ?", (generation,))
