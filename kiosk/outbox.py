"""The outbox: every action that a person did here, from its commit to the centre's verdict, in a hash chain.

A row is retired by a verdict for that very row and by nothing else; retired rows are kept, so that the centre can ask
for them again after a restore. Every function takes the connection of a transaction that is under way.
"""

import base64
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from sync.journey.model import Action, ActionId, Asker, ExamId, Opens, PatientId, QueueId, Role, VisitId
from sync.protocol import (
    MAX_BATCH,
    MAX_BATCH_BYTES,
    NO_HASH,
    Code,
    Held,
    Intent,
    Opaque,
    Pushed,
    Site,
    Verdict,
    VerdictRow,
    canonical,
    chain_hash,
)
from sync.rebase import Pending

Connection = sqlite3.Connection
PENDING = "pending"  # spelt out in the statements, since SQLite takes an index "where status = 'pending'" only then
_ENVELOPE, _AROUND_BODY = 1024, 100  # bytes of a push beside the bodies
_RENUMBERED_AT_ONCE = 500
_ASIDE = -(2**40)  # no epoch: where rows wait that are being renumbered
# A backup that holds an action of this epoch was made after all of the earlier ones had come.
_COVERED = (
    "exists (select 1 from identity i where (outbox.epoch = i.epoch and outbox.seq <= i.backed_up_seq)"
    " or (outbox.epoch < i.epoch and i.backed_up_seq > 0))"
)
# Whom it concerns is known here, and has yet to be told that the centre decided otherwise.
_TO_BE_TOLD = (
    "(status = 'superseded' and coalesce(seen, -1) < revision and patient_id in (select patient_id from patients))"
)
_intent = msgspec.json.Decoder(Intent)
_told = msgspec.json.Decoder(Held)


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
    centre expects them. Empty where nothing is pending, or where what it expects is not here."""
    epoch = head(connection).epoch
    first = connection.execute(
        "select min(seq) from outbox where status = 'pending' and epoch = ?", (epoch,)
    ).fetchone()[0]
    first = first if expected_seq is None else expected_seq
    rows = connection.execute(
        "select seq, body, hash, status, code, revision, held from outbox where epoch = ? and seq >= ?"
        " order by seq limit ?",
        (epoch, first, min(limit, MAX_BATCH)),
    )
    pushed: list[Pushed] = []
    size = _ENVELOPE
    for row in rows:
        size += len(row["body"]) + _AROUND_BODY
        if row["seq"] != first + len(pushed) or (pushed and size > MAX_BATCH_BYTES):
            break
        pushed.append(Pushed(row["hash"], msgspec.Raw(row["body"]), _held(row)))
    return pushed


def first_opaque(connection: Connection, expected_seq: int | None) -> Pushed | None:
    """The first of the next actions to push as it lies on the disk, for a centre that cannot take it in as it is."""
    row = connection.execute(
        "select epoch, seq, action_id, body, hash from outbox where epoch = (select epoch from identity)"
        " and (seq = ? or (? is null and status = 'pending')) order by seq limit 1",
        (expected_seq, expected_seq),
    ).fetchone()
    if row is None:
        return None
    body = base64.b64encode(row["body"]).decode()
    return Pushed(row["hash"], msgspec.Raw(b"null"), opaque=Opaque(row["seq"], row["action_id"], body))


def _held(row: sqlite3.Row) -> Held | None:
    """The verdict that the centre has told of a row which it is sent again."""
    if row["status"] != PENDING:
        return Held(Verdict(row["status"]), Code(row["code"]), row["revision"])
    return _told.decode(row["held"]) if row["held"] is not None else None


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


def intent_of(row: sqlite3.Row) -> Intent:
    """What a row's body says: as it was sent, whatever the row has followed since."""
    return _intent.decode(row["body"])


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
    """Whom the actions named when they were sent turned out to be this patient, not the one that it was so far."""
    connection.execute(
        "update outbox set patient_id = ?"
        " where patient_id = ? and json_extract(cast(body as text), '$.patient_id') = ?",
        (patient_id, was, sent),
    )


def reassign(connection: Connection, action_id: str, patient_id: str) -> None:
    """This action was another patient's."""
    connection.execute("update outbox set patient_id = ? where action_id = ?", (patient_id, action_id))


def rename_patient(connection: Connection, old: str, patient_id: str) -> None:
    """The record that these actions were of was merged into this patient's."""
    connection.execute("update outbox set patient_id = ? where patient_id = ?", (patient_id, old))


def start_epoch(connection: Connection, kiosk_id: str, epoch: int) -> int:
    """Renumbers what is pending under a new epoch, ids kept, and returns how many rows that were."""
    connection.execute(
        "update identity set epoch = ?, next_seq = 1, last_hash = ?, backed_up_seq = 0", (epoch, NO_HASH)
    )
    # Out of the way first, since the new numbers may be those of rows that are still to be renumbered. Rows lie in the
    # order in which they were written, whatever numbers they have had since.
    connection.execute("update outbox set epoch = ?, seq = rowid where status = 'pending'", (_ASIDE,))
    while True:
        # A portion at a time, since after weeks without the centre there may be very many.
        rows = connection.execute(
            "select body from outbox where status = 'pending' and epoch = ? order by seq limit ?",
            (_ASIDE, _RENUMBERED_AT_ONCE),
        ).fetchall()
        if not rows:
            return head(connection).next_seq - 1
        for row in rows:
            _renumber(connection, intent_of(row), kiosk_id)


def _renumber(connection: Connection, pending: Intent, kiosk_id: str) -> None:
    now = head(connection)
    renumbered = msgspec.structs.replace(pending, kiosk_id=kiosk_id, epoch=now.epoch, seq=now.next_seq)
    body = canonical(renumbered)
    digest = chain_hash(now.last_hash, body)
    connection.execute(
        "update outbox set epoch = ?, seq = ?, body = ?, hash = ? where action_id = ?",
        (now.epoch, now.next_seq, body, digest, pending.action_id),
    )
    connection.execute("update identity set next_seq = ?, last_hash = ?", (now.next_seq + 1, digest))


def reopen(connection: Connection) -> None:
    """The centre was restored from a backup: everything that is still here waits for its verdict again. The centre
    knows by its ids what it has. What backups were said to cover does not count: it may have been another one than the
    newest, and staff may have decided since what it holds undecided.

    What was judged in an earlier epoch is in no chain that could be sent as it stands, and came before all that is:
    everything goes on, in its order, under the next epoch, in whose place the centre gives one that it knows.
    """
    connection.execute("update identity set backed_up_seq = 0")
    connection.execute(
        "update outbox set held = json_object('verdict', status, 'code', code, 'revision', revision),"
        " status = 'pending' where status <> 'pending'"
    )
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
    """The kiosk is enrolled anew, and its epochs begin again: what was judged before lies in front of them."""
    connection.execute("update outbox set epoch = epoch - (select max(epoch) from outbox) where status <> 'pending'")


def forget_covered(connection: Connection, before_day: str, judged_before_ms: int) -> None:
    """Drops judged rows of earlier days that the centre's backups hold, but for what somebody is still to be told, and
    any that were judged long ago."""
    connection.execute(
        "delete from outbox where status <> 'pending' and (judged_ms < ?"  # noqa: S608
        f" or (site_day < ? and {_COVERED} and not {_TO_BE_TOLD}))",
        (judged_before_ms, before_day),
    )


def pending_of(connection: Connection, patient_id: str, grants: frozenset[str], site: Site) -> list[Pending]:
    """A patient's pending actions in order, ready to be replayed."""
    rows = connection.execute(
        "select body, visit_id from outbox where patient_id = ? and status = 'pending' order by epoch, seq",
        (patient_id,),
    )
    return [_pending(intent_of(row), row["visit_id"], grants, site) for row in rows]


def pending_patients(connection: Connection) -> set[PatientId]:
    """Everybody with something pending."""
    return {row[0] for row in connection.execute("select distinct patient_id from outbox where status = 'pending'")}


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
        Asker(Role.KIOSK, grants),
        intent.clock.wall_ms,
        opens,
        exam_id=named_exam(intent.payload),
    )
    return Pending(action, VisitId(visit_id), intent.leg, intent.journey_state, intent.site_day)
