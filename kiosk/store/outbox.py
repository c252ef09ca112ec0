"""The outbox: every action that a person did here, from its commit to the centre's verdict, in a hash chain.

A row is retired by a verdict for that very row and by nothing else; retired rows are kept, so that the centre can ask
for them again after a restore. Every function takes the connection of a transaction that is under way.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from kiosk.store import outbox_bodies as records
from sync.journey.model import Action, ActionId, Actor, ExamId, Opens, PatientId, QueueId, Role, VisitId
from sync.protocol import (
    MAX_BATCH,
    MAX_BATCH_BYTES,
    MAX_BODY,
    NO_HASH,
    Intent,
    Pushed,
    Site,
    VerdictRow,
    canonical,
    chain_hash,
)
from sync.rebase import Pending

Connection = sqlite3.Connection
PENDING = "pending"  # spelt out in the statements, since SQLite takes an index "where status = 'pending'" only then
_ENVELOPE = 1024  # bytes of a push beside its actions
_RENUMBERED_AT_ONCE = 500
_ASIDE = -(2**40)  # no epoch: where rows wait that are being renumbered
# A backup that holds an action of this epoch was made after all of the earlier ones had come.
_COVERED = (
    "exists (select 1 from identity i where (outbox.epoch = i.epoch and outbox.seq <= i.backed_up_seq)"
    " or (outbox.epoch < i.epoch and i.backed_up_seq > 0))"
)
_WAIT_AGAIN = (
    "update outbox set held = json_object('verdict', status, 'code', code, 'revision', revision), status = 'pending'"
)
# Whom it concerns is known here, and has yet to be told that the centre decided otherwise.
_TO_BE_TOLD = (
    "(status = 'superseded' and coalesce(seen, -1) < revision and patient_id in (select patient_id from patients))"
)


@dataclass(frozen=True, slots=True)
class Head:
    """Where the chain goes on: the next seq of the epoch, and the hash that it builds on."""

    epoch: int
    next_seq: int
    last_hash: str


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


def head(connection: Connection) -> Head:
    """The head of the chain. Raises TypeError before enrolment: there is no chain."""
    return Head(*connection.execute("select epoch, next_seq, last_hash from identity").fetchone())


def append(connection: Connection, intent: Intent, last_hash: str) -> bool:
    """Puts an intent at the end of the chain and moves the identity's head to it. False, and nothing is written, where
    it says more than a body may hold."""
    body = canonical(intent)
    if len(body) > MAX_BODY:
        return False
    chained = chain_hash(last_hash, body)
    connection.execute(
        "insert into outbox (action_id, epoch, seq, patient_id, visit_id, action_type, body, digest, hash, status,"
        " site_day, applied_ms) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            intent.action_id,
            intent.epoch,
            intent.seq,
            intent.patient_id,
            intent.visit_id,
            intent.action_type,
            body,
            records.digest(body),
            chained,
            PENDING,
            intent.site_day,
            intent.clock.wall_ms,
        ),
    )
    connection.execute("update identity set next_seq = ?, last_hash = ?", (intent.seq + 1, chained))
    return True


def batch(connection: Connection, limit: int, expected_seq: int | None) -> list[Pushed]:
    """The next actions to push, in order, within the limits of the protocol: from `expected_seq`, or from the first
    pending action. Empty where nothing is pending, or where `expected_seq` is not here. A record that cannot be read
    goes unread."""
    epoch = head(connection).epoch
    first = connection.execute(
        "select min(seq) from outbox where status = 'pending' and epoch = ?", (epoch,)
    ).fetchone()[0]
    first = first if expected_seq is None else expected_seq
    rows = connection.execute(
        f"select {records.COLUMNS} from outbox where epoch = ? and seq >= ? order by seq limit ?",  # noqa: S608
        (epoch, first, min(limit, MAX_BATCH)),
    )
    pushed: list[Pushed] = []
    size = _ENVELOPE
    for row in rows:
        if row["seq"] != first + len(pushed):
            break
        following = records.pushed(row)
        size += len(msgspec.json.encode(following)) + 1
        if pushed and size > MAX_BATCH_BYTES:
            break
        pushed.append(following)
    return pushed


def first_unread(connection: Connection, expected_seq: int | None) -> Pushed | None:
    """The first of the next actions to push as it lies on the disk, for a centre that cannot take it in as it is."""
    row = connection.execute(
        f"select {records.COLUMNS} from outbox where epoch = (select epoch from identity)"  # noqa: S608
        " and (seq = ? or (? is null and status = 'pending')) order by seq limit 1",
        (expected_seq, expected_seq),
    ).fetchone()
    return records.unread(row) if row else None


def retire(connection: Connection, verdict: VerdictRow, judged_ms: int) -> sqlite3.Row | None:
    """Writes a verdict into its row. Returns the row as it was, or None where it is unknown or no older revision."""
    row: sqlite3.Row | None = connection.execute(
        "select * from outbox where action_id = ? and (status = 'pending' or revision < ?)",
        (verdict.action_id, verdict.revision),
    ).fetchone()
    if row is not None:
        connection.execute(
            "update outbox set status = ?, code = ?, revision = ?, judged_ms = ?, held = null where action_id = ?",
            (verdict.verdict, verdict.code, verdict.revision, judged_ms, verdict.action_id),
        )
    return row


def find(connection: Connection, action_id: str) -> sqlite3.Row | None:
    """The row of that action; None where it was not done here."""
    row: sqlite3.Row | None = connection.execute("select * from outbox where action_id = ?", (action_id,)).fetchone()
    return row


def follow_visit_alias(connection: Connection, patient_id: str, alias: str, visit_id: str) -> None:
    """What is pending in a visit that the centre knows by another id belongs to that one from now on."""
    connection.execute(
        "update outbox set visit_id = ? where visit_id = ? and patient_id = ? and status = 'pending'",
        (visit_id, alias, patient_id),
    )


def follow_patient(connection: Connection, was: str, sent: str, patient_id: str) -> None:
    """Whom the actions named when they were sent turned out to be this patient, not the one that it was so far. One
    that is no JSON any more says nobody, and stays."""
    connection.execute(
        "update outbox set patient_id = ? where patient_id = ?"
        " and case when json_valid(cast(body as text)) then json_extract(cast(body as text), '$.patient_id') end = ?",
        (patient_id, was, sent),
    )


def reassign(connection: Connection, action_id: str, patient_id: str) -> None:
    """This action was another patient's."""
    connection.execute("update outbox set patient_id = ? where action_id = ?", (patient_id, action_id))


def rename_patient(connection: Connection, old: str, patient_id: str) -> None:
    """The record that these actions were of was merged into this patient's."""
    connection.execute("update outbox set patient_id = ? where patient_id = ?", (patient_id, old))


def start_epoch(connection: Connection, kiosk_id: str, epoch: int) -> int:
    """Renumbers what is pending under a new epoch, ids kept, and returns how many rows that were. What cannot be read
    keeps its place among the others and its body; the chain has its stand-in there."""
    connection.execute(
        "update identity set epoch = ?, next_seq = 1, last_hash = ?, backed_up_seq = 0", (epoch, NO_HASH)
    )
    # Out of the way first, since the new numbers may be those of rows that are still to be renumbered. Rows lie in the
    # order in which they were written, whatever numbers they have had since.
    connection.execute("update outbox set epoch = ?, seq = rowid where status = 'pending'", (_ASIDE,))
    seq, last_hash = 0, NO_HASH
    for row in _aside(connection):
        seq += 1
        last_hash = _renumber(connection, row, kiosk_id, epoch, seq, last_hash)
    connection.execute("update identity set next_seq = ?, last_hash = ?", (seq + 1, last_hash))
    return seq


def _aside(connection: Connection) -> Iterator[sqlite3.Row]:
    """The rows that wait to be renumbered, each once, in order: a portion at a time, since after weeks without the
    centre there may be very many."""
    after = 0
    while rows := connection.execute(
        "select seq as place, action_id, body, digest from outbox where status = 'pending' and epoch = ? and seq > ?"
        " order by seq limit ?",
        (_ASIDE, after, _RENUMBERED_AT_ONCE),
    ).fetchall():
        yield from rows
        after = rows[-1]["place"]


def _renumber(connection: Connection, row: sqlite3.Row, kiosk_id: str, epoch: int, seq: int, last_hash: str) -> str:
    """Writes a row's new place, and returns its hash there."""
    pending = records.read(row)
    if pending is None:
        hashed = chain_hash(last_hash, records.stand_in(row["action_id"], seq, row["body"]))
        written, digest = row["body"], row["digest"]
    else:
        renumbered = msgspec.structs.replace(pending, kiosk_id=kiosk_id, epoch=epoch, seq=seq)
        written = canonical(renumbered)
        hashed, digest = chain_hash(last_hash, written), records.digest(written)
    connection.execute(
        "update outbox set epoch = ?, seq = ?, body = ?, digest = ?, hash = ? where rowid = ?",
        (epoch, seq, written, digest, hashed, row["place"]),
    )
    return hashed


def reopen(connection: Connection) -> None:
    """The centre was restored from a backup: everything that is still here waits for its verdict again. The centre
    knows by its ids what it has. What backups were said to cover does not count: it may have been another one than the
    newest, and staff may have decided since what it holds undecided.

    What was judged in an earlier epoch is in no chain that could be sent as it stands, and came before all that is:
    everything goes on, in its order, under the next epoch, in whose place the centre gives one that it knows.
    """
    connection.execute("update identity set backed_up_seq = 0")
    connection.execute(f"{_WAIT_AGAIN} where status <> 'pending'")
    identity = connection.execute("select kiosk_id, epoch from identity").fetchone()
    of_before = connection.execute(
        "select 1 from outbox where status = 'pending' and epoch < ?", (identity["epoch"],)
    ).fetchone()
    if of_before:
        start_epoch(connection, identity["kiosk_id"], identity["epoch"] + 1)


def covered(connection: Connection, backed_up_seq: int) -> None:
    """The centre's backups hold this epoch's actions up to that one: nobody will ask for them again."""
    connection.execute("update identity set backed_up_seq = max(backed_up_seq, ?)", (backed_up_seq,))


def become_another(connection: Connection) -> None:
    """The kiosk is enrolled anew, and its epochs begin again: what was judged before lies in front of them. What waits
    for staff is sent again, or this kiosk would never hear what they decide."""
    # (What was set aside is decided by its record, and would be set aside once more.)
    connection.execute(f"{_WAIT_AGAIN} where status = 'needs_staff' and code <> 'quarantined'")
    (newest,) = connection.execute("select coalesce(max(epoch), 0) from outbox").fetchone()
    # Two steps, since a row may be moved to where another one still is.
    for by in (_ASIDE, -_ASIDE - newest):
        connection.execute("update outbox set epoch = epoch + ? where status <> 'pending'", (by,))


def forget_covered(connection: Connection, before_day: str, most: int) -> None:
    """Drops judged rows of earlier days that the centre's backups hold, but for what somebody is still to be told.
    Where nobody backs the centre up, the newest stay, so many at most: no clock may decide what could be needed."""
    connection.execute(
        f"delete from outbox where status <> 'pending' and site_day < ? and {_COVERED} and not {_TO_BE_TOLD}",  # noqa: S608
        (before_day,),
    )
    connection.execute(
        "delete from outbox where status <> 'pending' and rowid <="
        " (select rowid from outbox order by rowid desc limit 1 offset ?)",
        (most,),
    )


def pending_of(connection: Connection, patient_id: str, grants: frozenset[str], site: Site) -> list[Pending]:
    """A patient's pending actions in order, ready to be replayed: all of them that can still be read."""
    rows = connection.execute(
        "select action_id, body, digest, visit_id from outbox where patient_id = ? and status = 'pending'"
        " order by epoch, seq",
        (patient_id,),
    )
    read = ((records.read(row), row["visit_id"]) for row in rows)
    return [_pending(intent, visit_id, grants, site) for intent, visit_id in read if intent is not None]


def pending_patients(connection: Connection) -> set[PatientId]:
    """Everybody with something pending."""
    return {row[0] for row in connection.execute("select distinct patient_id from outbox where status = 'pending'")}


def has_pending(connection: Connection) -> bool:
    """Whether anything waits for its verdict: asked with every push, and to count a long backlog takes milliseconds."""
    return bool(connection.execute("select exists (select 1 from outbox where status = 'pending')").fetchone()[0])


def pending_count(connection: Connection) -> int:
    """How many actions wait for their verdict."""
    count: int = connection.execute("select count(*) from outbox where status = 'pending'").fetchone()[0]
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
        Actor(Role.KIOSK, grants),
        intent.clock.wall_ms,
        opens,
        exam_id=named_exam(intent.payload),
    )
    return Pending(action, VisitId(visit_id), intent.leg, intent.journey_state, intent.site_day)
