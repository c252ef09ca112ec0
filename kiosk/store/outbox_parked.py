"""Parked actions: pending rows that are out of the hash chain, since the network lets no form of one of them pass.

The centre sees a gap in the chain, and the other patients' actions go on in the next epoch. A parked row stays pending.
It goes back to the end of the chain once the network lets it pass, with its id. A patient's later actions are parked
with it, so that the order of one patient stays. Every function takes the connection of an open transaction, or of one
that reads.
"""

import sqlite3
from dataclasses import dataclass

from kiosk.store import outbox_bodies
from kiosk.store.identity import move_head
from kiosk.store.outbox_epochs import OUT_OF_CHAIN, WAIT_AGAIN, renumber
from sync.protocol import Pushed

Connection = sqlite3.Connection

_MOST_TRIED = 100  # patients whose actions are tried in one round
_PARKED = "status = 'pending' and parked_ms is not null"
HAS_PARKED = f"exists (select 1 from outbox where {_PARKED} and patient_id = ?)"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Parked:
    """The parked actions of the kiosk: their number, and the id and the parking time of the first."""

    number: int
    action_id: str
    since_ms: int


def park(connection: Connection, action_id: str, now_ms: int) -> int:
    """Parks an action of the present chain, and its patient's later actions. Returns their number.

    Returns 0, and changes nothing, where the chain does not have the action. Rows that follow and have a verdict are
    pending again: the centre may ask for them, and the old chain ends at the gap.
    """
    row = connection.execute(
        "select epoch, seq, patient_id from outbox where action_id = ? and epoch = (select epoch from identity)",
        (action_id,),
    ).fetchone()
    if row is None:
        return 0
    place = (row["epoch"], row["seq"])
    connection.execute(f"{WAIT_AGAIN} where status <> 'pending' and epoch = ? and seq >= ?", place)
    return connection.execute(
        "update outbox set epoch = ?, seq = rowid, parked_ms = ?"
        " where status = 'pending' and epoch = ? and seq >= ? and patient_id = ?",
        (OUT_OF_CHAIN, now_ms, *place, row["patient_id"]),
    ).rowcount


def unpark(connection: Connection, action_id: str) -> int:
    """Puts a parked action, and the parked actions of its patient, at the end of the chain. Returns their number."""
    rows = connection.execute(
        f"select rowid as place, action_id, body, digest from outbox where {_PARKED}"  # noqa: S608
        " and patient_id = (select patient_id from outbox where action_id = ?) order by rowid",
        (action_id,),
    ).fetchall()
    kiosk_id, epoch, seq, last_hash = connection.execute(
        "select kiosk_id, epoch, next_seq, last_hash from identity"
    ).fetchone()
    for row in rows:
        last_hash = renumber(connection, row, kiosk_id, epoch, seq, last_hash)
        seq += 1
    connection.execute(
        f"update outbox set parked_ms = null where {_PARKED} and epoch = ?",  # noqa: S608
        (epoch,),
    )
    move_head(connection, seq, last_hash)
    return len(rows)


def next_rowid(connection: Connection) -> int:
    """Returns the rowid of the next row: the seq of a row that is parked from its beginning."""
    number: int = connection.execute("select coalesce(max(rowid), 0) + 1 from outbox").fetchone()[0]
    return number


def parked(connection: Connection) -> Parked | None:
    """Returns the parked actions; None where there are none."""
    number = connection.execute(f"select count(*) from outbox where {_PARKED}").fetchone()[0]  # noqa: S608
    first = connection.execute(
        f"select action_id, parked_ms from outbox where rowid = (select min(rowid) from outbox where {_PARKED})"  # noqa: S608
    ).fetchone()
    return Parked(number, first["action_id"], first["parked_ms"]) if first else None


def first_of_each_patient(connection: Connection) -> list[Pushed]:
    """Returns each patient's first parked action, as an unread record, for a trial of the network."""
    rows = connection.execute(
        f"select {outbox_bodies.COLUMNS} from outbox where rowid in"  # noqa: S608
        f" (select min(rowid) from outbox where {_PARKED} group by patient_id) order by rowid limit ?",
        (_MOST_TRIED,),
    )
    return [outbox_bodies.unread(row) for row in rows]
