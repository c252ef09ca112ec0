"""The epochs of the outbox: a new epoch renumbers pending actions, and a restore sends judged ones again.

A new epoch begins where the centre detects a fork of this kiosk's hash chain, and where the kiosk is enrolled again.
Action ids never change. Every function takes the connection of an open transaction.
"""

import sqlite3
from collections.abc import Iterator

import msgspec

from kiosk.store import outbox_bodies
from kiosk.store.identity import move_head
from sync.protocol import NO_HASH, canonical, chain_hash

Connection = sqlite3.Connection

_ROWS_AT_ONCE = 500
_TO_RENUMBER = -(2**40)  # the epoch of rows to renumber, far below every real epoch
OUT_OF_CHAIN = -(2**41)  # the epoch of parked rows; their seq is the rowid
WAIT_AGAIN = (
    "update outbox set held = json_object('verdict', status, 'code', code, 'revision', revision), status = 'pending'"
)


def start_epoch(connection: Connection, kiosk_id: str, epoch: int) -> int:
    """Renumbers the pending rows under a new epoch. Returns their number. Parked rows stay out of the chain.

    A row that cannot be read keeps its body; in the chain a stand-in takes its place.
    """
    connection.execute(
        "update identity set epoch = ?, next_seq = 1, last_hash = ?, backed_up_seq = 0", (epoch, NO_HASH)
    )
    # Two steps, since rows that are not renumbered yet may have the new numbers. The rowid keeps the order of writing
    # through every renumbering.
    connection.execute(
        "update outbox set epoch = ?, seq = rowid where status = 'pending' and parked_ms is null", (_TO_RENUMBER,)
    )
    seq, last_hash = 0, NO_HASH
    for row in _rows_to_renumber(connection):
        seq += 1
        last_hash = renumber(connection, row, kiosk_id, epoch, seq, last_hash)
    move_head(connection, seq + 1, last_hash)
    return seq


def reopen(connection: Connection) -> None:
    """Makes every row pending again after the centre was restored from a backup. The centre knows the ids that it has.

    What a backup was said to cover is forgotten. The restored backup may be older than the newest, and staff may
    have decided cases after it.

    Rows judged in an earlier epoch come before all others and are in no chain that can be sent. Where such rows exist,
    all rows get the next epoch, in order. The centre replaces that epoch by one that it knows.
    """
    connection.execute("update identity set backed_up_seq = 0")
    connection.execute(f"{WAIT_AGAIN} where status <> 'pending'")
    identity = connection.execute("select kiosk_id, epoch from identity").fetchone()
    earlier = connection.execute(
        "select 1 from outbox where status = 'pending' and parked_ms is null and epoch < ?", (identity["epoch"],)
    ).fetchone()
    if earlier:
        start_epoch(connection, identity["kiosk_id"], identity["epoch"] + 1)


def move_before_first_epoch(connection: Connection) -> None:
    """Moves the judged rows in front of all epochs, since the epochs of a newly enrolled kiosk start again.

    Rows that wait for staff are sent again, so that this kiosk gets the decision of the staff.
    """
    # The centre's quarantine record decides a quarantined row. Sent again, the row would be quarantined again.
    connection.execute(f"{WAIT_AGAIN} where status = 'needs_staff' and code <> 'quarantined'")
    (newest,) = connection.execute("select coalesce(max(epoch), 0) from outbox").fetchone()
    # Two steps, since another row may still have the new place.
    for shift in (_TO_RENUMBER, -_TO_RENUMBER - newest):
        connection.execute("update outbox set epoch = epoch + ? where status <> 'pending'", (shift,))


def renumber(connection: Connection, row: sqlite3.Row, kiosk_id: str, epoch: int, seq: int, last_hash: str) -> str:
    """Writes the new place in the chain of a row, whose rowid is `place`. Returns its hash there."""
    pending = outbox_bodies.read(row)
    if pending is None:
        hashed = chain_hash(last_hash, outbox_bodies.stand_in(row["action_id"], seq, row["body"]))
        written, digest = row["body"], row["digest"]
    else:
        renumbered = msgspec.structs.replace(pending, kiosk_id=kiosk_id, epoch=epoch, seq=seq)
        written = canonical(renumbered)
        hashed, digest = chain_hash(last_hash, written), outbox_bodies.digest(written)
    connection.execute(
        "update outbox set epoch = ?, seq = ?, body = ?, digest = ?, hash = ? where rowid = ?",
        (epoch, seq, written, digest, hashed, row["place"]),
    )
    return hashed


def _rows_to_renumber(connection: Connection) -> Iterator[sqlite3.Row]:
    """The rows to renumber, in order. They are read in portions: weeks without the centre leave very many."""
    after = 0
    while rows := connection.execute(
        "select rowid as place, action_id, body, digest from outbox where status = 'pending' and epoch = ? and seq > ?"
        " order by seq limit ?",
        (_TO_RENUMBER, after, _ROWS_AT_ONCE),
    ).fetchall():
        yield from rows
        after = rows[-1]["place"]
