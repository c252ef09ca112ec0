"""The outbox: every action of a person at this kiosk, from its commit to the centre's verdict, in a hash chain.

Only a verdict for that very row retires a row. Retired rows stay, so that the centre can ask for
them again after a restore. Every function takes the connection of an open transaction, or of one that reads.
"""

import sqlite3
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from kiosk.store import outbox_bodies
from kiosk.store.identity import move_head
from kiosk.store.outbox_epochs import OUT_OF_CHAIN
from kiosk.store.outbox_parked import HAS_PARKED, next_rowid
from sync.journey.model import Action, ActionId, Actor, ExamId, Opens, PatientId, QueueId, Role, VisitId
from sync.protocol import (
    MAX_ACTION_BODY,
    MAX_BATCH,
    MAX_BATCH_BYTES,
    Intent,
    Pushed,
    Site,
    VerdictRow,
    canonical,
    link_hash,
)
from sync.rebase import Pending

Connection = sqlite3.Connection
PENDING = "pending"  # a literal in the statements, since SQLite takes an index "where status = 'pending'" only then
_ENVELOPE = 1024  # bytes of a push without its actions
# A backup that holds an action of the present epoch also holds all actions of earlier epochs.
# A parked row is in no chain, so no seq says whether a backup holds it.
BACKED_UP = (
    "(parked_ms is null and exists (select 1 from identity i where"
    " (outbox.epoch = i.epoch and outbox.seq <= i.backed_up_seq)"
    " or (outbox.epoch < i.epoch and i.backed_up_seq > 0)))"
)
_FORGOTTEN = "returning action_id, patient_id, action_type, applied_ms"
_OF_THIS_SITE = "site_id = (select site_id from identity)"
# The kiosk knows the patient, and the patient has not seen the reversal.
_UNSEEN_REVERSAL = (
    "(status = 'superseded' and coalesce(seen_revision, -1) < revision"
    " and patient_id in (select patient_id from patients))"
)


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain: the next seq of the epoch, and the hash of the last action.

    `parks`: the next action is parked beside the chain, as earlier ones of its patient.
    """

    epoch: int
    next_seq: int
    last_hash: str
    parks: bool = False


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
    parked_ms: int | None  # when it left the chain, since the network does not let it pass


def head(connection: Connection, patient_id: str = "") -> Head:
    """Returns the head of the chain for the next action of a patient.

    Raises TypeError before the enrolment, without a chain.
    """
    epoch, next_seq, last_hash, parks = connection.execute(
        f"select epoch, next_seq, last_hash, {HAS_PARKED} from identity",  # noqa: S608
        (patient_id,),
    ).fetchone()
    return Head(epoch, next_seq, last_hash, bool(parks))


def append(connection: Connection, intent: Intent, at: Head) -> Head | None:
    """Adds an intent to the end of the chain, or parks it beside the chain. Returns the head after it.

    Returns None, and writes nothing, where the intent is larger than a body may be. Raises sqlite3.IntegrityError where
    the outbox has an action of that id.
    """
    body = canonical(intent)
    if len(body) > MAX_ACTION_BODY:
        return None
    chained = link_hash(at.last_hash, body)
    is_parked = at.parks
    connection.execute(
        "insert into outbox (action_id, site_id, epoch, seq, patient_id, visit_id, action_type, body, digest, hash,"
        " status, site_day, applied_ms, parked_ms) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            intent.action_id,
            intent.site_id,
            OUT_OF_CHAIN if is_parked else intent.epoch,
            next_rowid(connection) if is_parked else intent.seq,
            intent.patient_id,
            intent.visit_id,
            intent.action_type,
            body,
            outbox_bodies.digest(body),
            chained,
            PENDING,
            intent.site_day,
            intent.clock.wall_ms,
            intent.clock.wall_ms if is_parked else None,
        ),
    )
    if is_parked:
        return at
    move_head(connection, intent.seq + 1, chained)
    return Head(intent.epoch, intent.seq + 1, chained)


def batch(connection: Connection, limit: int, expected_seq: int | None) -> list[Pushed]:
    """Returns the next actions to push, in order, within the limits of the protocol.

    The batch begins with `expected_seq`, or with the first pending action where that is None. It is empty where nothing
    is pending, and where the outbox lacks the expected action.
    """
    return pushed(rows_to_push(connection, limit, expected_seq))


def rows_to_push(connection: Connection, limit: int, expected_seq: int | None) -> list[sqlite3.Row]:
    """Returns the rows of `batch`, at least as many as fit into a push."""
    epoch = head(connection).epoch
    first = connection.execute(
        "select min(seq) from outbox where status = 'pending' and epoch = ?", (epoch,)
    ).fetchone()[0]
    first = first if expected_seq is None else expected_seq
    rows = connection.execute(
        f"select {outbox_bodies.COLUMNS} from outbox where epoch = ? and seq >= ? and {_OF_THIS_SITE}"  # noqa: S608
        " order by seq limit ?",
        (epoch, first, min(limit, MAX_BATCH)),
    ).fetchall()
    return [row for place, row in enumerate(rows) if row["seq"] == first + place]


def pushed(rows: Iterable[sqlite3.Row]) -> list[Pushed]:
    """Returns rows as they are sent, as many as fit into a push. A row that cannot be read becomes an opaque record."""
    actions: list[Pushed] = []
    size = _ENVELOPE
    for row in rows:
        following = outbox_bodies.pushed(row)
        size += len(msgspec.json.encode(following)) + 1
        if actions and size > MAX_BATCH_BYTES:
            break
        actions.append(following)
    return actions


def first_unread(connection: Connection, expected_seq: int | None) -> Pushed | None:
    """Returns the first action of the next batch with its raw bytes, for a centre that fails on its content."""
    row = connection.execute(
        f"select {outbox_bodies.COLUMNS} from outbox where {_OF_THIS_SITE}"  # noqa: S608
        " and epoch = (select epoch from identity)"
        " and (seq = ? or (? is null and status = 'pending')) order by seq limit 1",
        (expected_seq, expected_seq),
    ).fetchone()
    return outbox_bodies.unread(row) if row else None


def unsettled(connection: Connection, verdicts: Collection[VerdictRow]) -> dict[str, sqlite3.Row]:
    """Returns the rows that these verdicts retire, by action id.

    A verdict of an unknown action has none, nor one whose row has a verdict of that revision or newer.
    """
    revisions = {verdict.action_id: verdict.revision for verdict in verdicts}
    rows = connection.execute(
        f"select * from outbox where action_id in ({','.join('?' * len(revisions))})",  # noqa: S608
        tuple(revisions),
    )
    found = {row["action_id"]: row for row in rows}
    return {
        action_id: row
        for action_id, row in found.items()
        if row["status"] == PENDING or row["revision"] < revisions[action_id]
    }


def retire(connection: Connection, verdicts: Iterable[VerdictRow], judged_ms: int) -> None:
    """Writes verdicts into their rows."""
    connection.executemany(
        "update outbox set status = ?, code = ?, revision = ?, judged_ms = ?, held = null where action_id = ?",
        [(each.verdict, each.code, each.revision, judged_ms, each.action_id) for each in verdicts],
    )


def find(connection: Connection, action_id: str) -> sqlite3.Row | None:
    """Returns the row of an action; None where the outbox has none."""
    row: sqlite3.Row | None = connection.execute("select * from outbox where action_id = ?", (action_id,)).fetchone()
    return row


def move_to_visit(connection: Connection, patient_id: str, alias: str, visit_id: str) -> None:
    """Moves a patient's pending actions from a visit that is an alias to the visit that the centre knows."""
    connection.execute(
        "update outbox set visit_id = ? where visit_id = ? and patient_id = ? and status = 'pending'",
        (visit_id, alias, patient_id),
    )


def move_by_sent_patient(connection: Connection, old_id: str, sent_id: str, patient_id: str) -> None:
    """Moves the actions of one patient that were sent under a certain patient id to another patient.

    The body of an action holds the id that it was sent under. An action whose body is no JSON stays.
    """
    connection.execute(
        "update outbox set patient_id = ? where patient_id = ?"
        " and case when json_valid(cast(body as text)) then json_extract(cast(body as text), '$.patient_id') end = ?",
        (patient_id, old_id, sent_id),
    )


def move_action(connection: Connection, action_id: str, patient_id: str) -> None:
    """Moves one action to another patient."""
    connection.execute("update outbox set patient_id = ? where action_id = ?", (patient_id, action_id))


def move_all(connection: Connection, old_id: str, patient_id: str) -> None:
    """Moves all actions of one patient to another, after a merge of the first record into the second."""
    connection.execute("update outbox set patient_id = ? where patient_id = ?", (patient_id, old_id))


def mark_backed_up(connection: Connection, backed_up_seq: int) -> None:
    """Notes that the centre's backups hold this epoch's actions up to `backed_up_seq`. It only rises."""
    connection.execute("update identity set backed_up_seq = max(backed_up_seq, ?)", (backed_up_seq,))


def forget_backed_up(connection: Connection, before_day: str, limit: int) -> list[sqlite3.Row]:
    """Removes judged rows of earlier days that the centre's backups hold. An unseen reversal stays.

    Of rows that no backup holds the newest `limit` stay: the clock must not decide which actions the centre can ask for
    again. Returns action_id, patient_id, action_type and applied_ms of the removed rows.
    """
    return [
        *connection.execute(
            "delete from outbox where status <> 'pending' and site_day < ?"  # noqa: S608
            f" and {BACKED_UP} and not {_UNSEEN_REVERSAL} {_FORGOTTEN}",
            (before_day,),
        ),
        *connection.execute(
            "delete from outbox where status <> 'pending' and rowid <="  # noqa: S608
            f" (select rowid from outbox order by rowid desc limit 1 offset ?) {_FORGOTTEN}",
            (limit,),
        ),
    ]


def pending_of(connection: Connection, patient_id: str, grants: frozenset[str], site: Site) -> list[Pending]:
    """Returns a patient's readable pending actions in the order in which they are replayed."""
    rows = connection.execute(
        "select action_id, body, digest, visit_id from outbox where patient_id = ? and status = 'pending'"
        " order by rowid",  # as they were done: what is parked has left the chain, and its place there says nothing
        (patient_id,),
    )
    read = ((outbox_bodies.read(row), row["visit_id"]) for row in rows)
    return [_pending(intent, visit_id, grants, site) for intent, visit_id in read if intent is not None]


def pending_patients(connection: Connection) -> set[PatientId]:
    """Returns the patients who have a pending action."""
    return {row[0] for row in connection.execute("select distinct patient_id from outbox where status = 'pending'")}


def has_pending(connection: Connection) -> bool:
    """Whether any action of the chain is pending: parked ones wait for the network.

    Every push asks this, and a count of a long backlog would take milliseconds.
    """
    found = connection.execute("select 1 from outbox where status = 'pending' and parked_ms is null limit 1")
    return found.fetchone() is not None


def pending_count(connection: Connection) -> int:
    """Returns how many actions are pending."""
    count: int = connection.execute("select count(*) from outbox where status = 'pending'").fetchone()[0]
    return count


def oldest_pending(connection: Connection) -> sqlite3.Row | None:
    """Returns the pending row that was done first, parked or not, with its rowid as `place`; None without one."""
    row: sqlite3.Row | None = connection.execute(
        "select rowid as place, * from outbox where rowid = (select min(rowid) from outbox where status = 'pending')"
    ).fetchone()
    return row


def named_exam(payload: Mapping[str, Any]) -> ExamId | None:
    """Returns the exam that a request's payload names, or None."""
    exam_id = payload.get("exam_id")
    return ExamId(exam_id) if isinstance(exam_id, str) else None


def rows(connection: Connection) -> list[OutboxRow]:
    """Returns every row, oldest first."""
    return [
        OutboxRow(**dict(row))
        for row in connection.execute(
            "select action_id, epoch, seq, action_type, patient_id, status, code, applied_ms, judged_ms,"
            " parked_ms from outbox order by epoch, seq"
        )
    ]


def _pending(intent: Intent, visit_id: str, grants: frozenset[str], site: Site) -> Pending:
    opens = Opens(VisitId(visit_id), QueueId(intent.queue_id), intent.queue_number, site.walk_in)
    action = Action(
        ActionId(intent.action_id),
        intent.action_type,
        Actor(Role.KIOSK, grants),
        intent.clock.wall_ms,
        opens,
        exam_id=named_exam(intent.payload),
        payload=intent.payload,
    )
    return Pending(action, VisitId(visit_id), intent.leg, intent.journey_state, intent.site_day)
