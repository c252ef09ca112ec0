"""Verdicts as rows: one row for each revision, with its grounds. The last revision is in force."""

from collections.abc import Collection
from dataclasses import dataclass

import msgspec

from sync.central.records.journeys import read_journey
from sync.central.records.unseen_changes import note_own_change
from sync.central.store.connection import Row
from sync.central.store.set_transaction import SetTransaction
from sync.central.store.transactions import UNREAD, Question, ReadTransaction, WriteTransaction, Writing, each_of
from sync.journey.definitions import Definitions
from sync.journey.model import Journey
from sync.protocol import Code, Verdict, VerdictRow


class VerdictRecord(msgspec.Struct, frozen=True):
    """One revision of a verdict. `verdict_id` is the action's id, or an id of the centre's where the action has none.

    `conflict` is the row of the table of conflicts (0: no conflict). `changed_version` is the journey_version after the
    action (None: it changed no journey). `counterpart` is the other action of the conflict. `change` is the change
    number under which kiosks pull the verdict (0: the kiosk gets it in the answer to its push).
    """

    verdict_id: str
    kiosk_id: str
    seq: int
    verdict: Verdict
    code: Code
    revision: int = 0
    patient_id: str | None = None
    visit_id: str | None = None
    conflict: int = 0
    from_state: str | None = None
    to_state: str | None = None
    changed_version: int | None = None
    definitions_version: int | None = None
    counterpart: str | None = None
    change: int = 0


@dataclass(frozen=True, slots=True)
class RevisedVerdict:
    """A revised verdict, with the id and the seq by which a kiosk knows the action."""

    record: VerdictRecord
    action_id: str
    seq: int


def add_verdict(db: WriteTransaction, record: VerdictRecord, now_ms: int) -> None:
    """Adds a verdict or a further revision of one. A revision wakes the pulls that wait."""
    if record.change:
        db.announce_verdict(record.change)
    db.write(
        _ADD,
        {
            "verdict_id": record.verdict_id,
            "revision": record.revision,
            "kiosk_id": record.kiosk_id,
            "seq": record.seq,
            "patient_id": record.patient_id,
            "visit_id": record.visit_id,
            "verdict": record.verdict.value,
            "code": record.code.value,
            "conflict": record.conflict,
            "from_state": record.from_state,
            "to_state": record.to_state,
            "changed_version": record.changed_version,
            "definitions_version": record.definitions_version,
            "counterpart": record.counterpart,
            "change": record.change,
            "now_ms": now_ms,
        },
    )
    db.learn(_IN_FORCE, record.verdict_id, record)
    note_own_change(db, record.patient_id, record.kiosk_id, record.changed_version)


def announce_first_verdict(db: WriteTransaction, verdict_id: str, change: int) -> None:
    """Lets kiosks pull a verdict that no push has answered. One that has a change number already stays as it is.

    `change` is for this verdict alone, since a page may end at it.
    """
    announced = db.execute(
        "update verdicts set change = :change where verdict_id = :verdict_id and change = 0",
        {"verdict_id": verdict_id, "change": change},
    )
    if announced.rowcount:
        db.announce_verdict(change)


def latest_verdict(db: ReadTransaction, verdict_id: str) -> VerdictRecord | None:
    """The verdict in force; None for an action without one."""
    known = db.known(_IN_FORCE, verdict_id)
    if known is not UNREAD:
        return known
    row = db.row(
        "select * from verdicts where verdict_id = :verdict_id order by revision desc limit 1", verdict_id=verdict_id
    )
    return _record(row) if row else None


def read_verdicts_ahead(db: SetTransaction, verdict_ids: Collection[str]) -> None:
    """Reads the verdicts in force of a set of actions."""
    names, parameters = each_of("verdict", verdict_ids)
    rows = db.rows(f"select * from verdicts where verdict_id in {names} order by revision", **parameters)  # noqa: S608
    db.read_ahead(_IN_FORCE, dict.fromkeys(verdict_ids) | {row["verdict_id"]: _record(row) for row in rows})


def kiosks_with_revised(db: ReadTransaction, after: int) -> set[str]:
    """The kiosks that made or sent an action whose verdict was revised under a change number above `after`."""
    rows = db.rows(
        "select kiosk_id from verdicts where change > :after union select r.kiosk_id from verdicts v"
        " join receipts r on r.verdict_id = v.verdict_id where v.change > :after",
        after=after,
    )
    return {row["kiosk_id"] for row in rows}


def revised_verdicts(db: ReadTransaction, kiosk_id: str, after: int, limit: int) -> list[RevisedVerdict]:
    """The first verdicts in force that were revised under change numbers above `after`, in their order.

    The verdicts are of actions that the kiosk made or sent, also under an earlier enrolment.
    """
    rows = db.rows(
        "select v.*, coalesce(q.action_id, v.verdict_id) as action_id, coalesce((select r.seq from receipts r"
        " where r.verdict_id = v.verdict_id and r.kiosk_id = :kiosk_id order by r.epoch desc, r.seq desc limit 1),"
        # An action quarantined under an id of the centre's has the id that the kiosk knows with its body.
        " v.seq) as sent_seq from verdicts v left join quarantine q on q.verdict_id = v.verdict_id"
        " where v.change > :after and (v.kiosk_id = :kiosk_id or exists"
        " (select 1 from receipts r where r.verdict_id = v.verdict_id and r.kiosk_id = :kiosk_id))"
        " and not exists (select 1 from verdicts w where w.verdict_id = v.verdict_id and w.revision > v.revision)"
        " order by v.change limit :limit",
        kiosk_id=kiosk_id,
        after=after,
        limit=limit,
    )
    return [RevisedVerdict(_record(row), row["action_id"], row["sent_seq"]) for row in rows]


def verdict_row(record: VerdictRecord, action_id: str, seq: int, journey: Journey | None) -> VerdictRow:
    """A verdict as a message to the kiosk. `journey` is the patient's journey."""
    return VerdictRow(
        action_id=action_id,
        seq=seq,
        verdict=record.verdict,
        code=record.code,
        revision=record.revision,
        patient_id=record.patient_id,
        visit_id=record.visit_id,
        journey=journey,
    )


def current_verdict_row(
    db: ReadTransaction, definitions: Definitions, today: str, record: VerdictRecord, action_id: str, seq: int
) -> VerdictRow:
    """An earlier verdict as a message to the kiosk, with the patient's journey as it is now."""
    journey = read_journey(db, definitions, record.patient_id, today) if record.patient_id else None
    return verdict_row(record, action_id, seq, journey)


def _record(row: Row) -> VerdictRecord:
    return VerdictRecord(
        verdict_id=row["verdict_id"],
        kiosk_id=row["kiosk_id"],
        seq=row["seq"],
        verdict=Verdict(row["verdict"]),
        code=Code(row["code"]),
        revision=row["revision"],
        patient_id=row["patient_id"],
        visit_id=row["visit_id"],
        conflict=row["conflict"],
        from_state=row["from_state"],
        to_state=row["to_state"],
        changed_version=row["changed_version"],
        definitions_version=row["definitions_version"],
        counterpart=row["counterpart"],
        change=row["change"],
    )


_IN_FORCE: Question[str, VerdictRecord | None] = Question()
_ADD = Writing(
    "insert into verdicts values (:verdict_id, :revision, :kiosk_id, :seq, :patient_id, :visit_id, :verdict, :code,"
    " :conflict, :from_state, :to_state, :changed_version, :definitions_version, :counterpart, :change, :now_ms)"
)
