"""The outbox: every action that a person did here, from its commit to the centre's verdict, in a hash chain.

A row is retired by a verdict for that very row and by nothing else; retired rows are kept, so that the centre can ask
for them again after a restore. Every function takes the connection of a transaction that is under way.
"""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from sync.journey.model import Action, ActionId, Asker, ExamId, Opens, QueueId, Role, VisitId
from sync.protocol import MAX_BATCH, MAX_BATCH_BYTES, NO_HASH, Intent, Pushed, Site, VerdictRow, canonical, chain_hash
from sync.rebase import Pending

Connection = sqlite3.Connection
PENDING = "pending"
_intent = msgspec.json.Decoder(Intent)


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One row, as `kiosk outbox --json` lists it."""

    action_id: str
    epoch: int
    seq: int
    action_type: str
    patient_id: str
    status: str
    code: str | None
    applied_ms: int
    judged_ms: int | None


def append(connection: Connection, intent: Intent, last_hash: str) -> None:
    """Puts an intent at the end of the chain and moves the identity's head to it."""
    body = canonical(intent)
    digest = chain_hash(last_hash, body)
    connection.execute(
        "insert into outbox (action_id, epoch, seq, patient_id, visit_id, action_type, body, hash, status, site_day,"
        " applied_ms) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            intent.action_id,
            intent.epoch,
            intent.seq,
            intent.patient_id,
            intent.visit_id,
            intent.action_type,
            body,
            digest,
            PENDING,
            intent.site_day,
            intent.clock.wall_ms,
        ),
    )
    connection.execute("update identity set next_seq = ?, last_hash = ?", (intent.seq + 1, digest))


def batch(connection: Connection, limit: int, expected_seq: int | None) -> list[Pushed]:
    """The next actions to push, in order, within the protocol's limits: from the first pending one, or from where the
    centre expects them."""
    first = expected_seq
    if first is None:
        first = connection.execute("select min(seq) from outbox where status = ?", (PENDING,)).fetchone()[0]
    if first is None:
        return []
    rows = connection.execute(
        "select body, hash from outbox where epoch = (select epoch from identity) and seq >= ? order by seq limit ?",
        (first, min(limit, MAX_BATCH)),
    )
    pushed: list[Pushed] = []
    size = 0
    for row in rows:
        size += len(row["body"]) + 100
        if pushed and size > MAX_BATCH_BYTES:
            break
        pushed.append(Pushed(row["hash"], msgspec.Raw(row["body"])))
    return pushed


def retire(connection: Connection, verdict: VerdictRow, judged_ms: int) -> sqlite3.Row | None:
    """Writes a verdict into its row. Returns the row as it was, or None where it is unknown or no older revision."""
    row: sqlite3.Row | None = connection.execute(
        "select * from outbox where action_id = ? and (status = ? or revision < ?)",
        (verdict.action_id, PENDING, verdict.revision),
    ).fetchone()
    if row is not None:
        connection.execute(
            "update outbox set status = ?, code = ?, revision = ?, judged_ms = ? where action_id = ?",
            (verdict.verdict, verdict.code, verdict.revision, judged_ms, verdict.action_id),
        )
    return row


def follow_visit_alias(connection: Connection, alias: str, visit_id: str) -> None:
    """What is pending in a visit that the centre knows by another id belongs to that one from now on."""
    connection.execute("update outbox set visit_id = ? where visit_id = ? and status = ?", (visit_id, alias, PENDING))


def follow_patient(connection: Connection, provisional: str, patient_id: str) -> None:
    """A provisional patient turned out to be this one."""
    connection.execute("update outbox set patient_id = ? where patient_id = ?", (patient_id, provisional))


def start_epoch(connection: Connection, kiosk_id: str, epoch: int) -> int:
    """Renumbers what is pending under a new epoch, ids kept, and returns how many rows that were."""
    rows = connection.execute("select body from outbox where status = ? order by epoch, seq", (PENDING,)).fetchall()
    connection.execute("update identity set epoch = ?, next_seq = 1, last_hash = ?", (epoch, NO_HASH))
    # Out of the way first: the new numbers may be those of rows that are still to be renumbered.
    connection.execute("update outbox set epoch = -1 - epoch where status = ?", (PENDING,))
    last_hash = NO_HASH
    for seq, row in enumerate(rows, 1):
        intent = msgspec.structs.replace(_intent.decode(row["body"]), kiosk_id=kiosk_id, epoch=epoch, seq=seq)
        body = canonical(intent)
        last_hash = chain_hash(last_hash, body)
        connection.execute(
            "update outbox set epoch = ?, seq = ?, body = ?, hash = ? where action_id = ?",
            (epoch, seq, body, last_hash, intent.action_id),
        )
    connection.execute("update identity set next_seq = ?, last_hash = ?", (len(rows) + 1, last_hash))
    return len(rows)


def forget_judged(connection: Connection) -> None:
    """Drops every row that has its verdict: the kiosk has become another one, which nobody will ask for them."""
    connection.execute("delete from outbox where status <> ?", (PENDING,))


def pending_of(connection: Connection, patient_id: str, grants: frozenset[str], site: Site) -> list[Pending]:
    """A patient's pending actions in order, ready to be replayed."""
    rows = connection.execute(
        "select body, visit_id from outbox where patient_id = ? and status = ? order by epoch, seq",
        (patient_id, PENDING),
    )
    return [_pending(_intent.decode(row["body"]), row["visit_id"], grants, site) for row in rows]


def pending_count(connection: Connection) -> int:
    """How many actions wait for their verdict."""
    count: int = connection.execute("select count(*) from outbox where status = ?", (PENDING,)).fetchone()[0]
    return count


def named_exam(payload: Mapping[str, Any]) -> ExamId | None:
    """The exam that a request's payload names, or None."""
    exam_id = payload.get("exam_id")
    return ExamId(exam_id) if isinstance(exam_id, str) else None


def rows(connection: Connection) -> list[OutboxRow]:
    """Every row, oldest first."""
    return [
        OutboxRow(**dict(row))
        for row in connection.execute(
            "select action_id, epoch, seq, action_type, patient_id, status, code, applied_ms, judged_ms"
            " from outbox order by epoch, seq"
        )
    ]


def _pending(intent: Intent, visit_id: str, grants: frozenset[str], site: Site) -> Pending:
    opens = Opens(VisitId(visit_id), QueueId(intent.queue_id), intent.queue_number, site.walk_in)
    action = Action(
        ActionId(intent.action_id),
        intent.action_type,
        Asker(Role.KIOSK, grants),
        intent.clock.wall_ms,
        opens,
        exam_id=named_exam(intent.payload),
    )
    return Pending(action, VisitId(visit_id), intent.leg, intent.journey_state, intent.site_day)
