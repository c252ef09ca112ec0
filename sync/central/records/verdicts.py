"""Verdicts as rows: one for each time that one was given, with the grounds; the last revision is the one in force."""

import sqlite3
from dataclasses import dataclass

from sync.central.records.journeys import read_journey
from sync.central.store.sqlite import Reading, Writing
from sync.journey.definitions import Definitions
from sync.journey.model import Journey
from sync.protocol import Code, Verdict, VerdictRow


@dataclass(frozen=True, slots=True)
class Given:
    """A verdict as it is kept. `verdict_id` is the action's id, or one of ours where the action bears none of its own.

    `conflict` is the row of the table of conflicts, `changed_version` the journey_version that the action led to (None:
    it changed no journey), `counterpart` the action that stood in its way, `change` the number that it is pulled under.
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
class Revised:
    """A verdict that was given anew, as a kiosk knows the action: by the id that it bears there, and its seq."""

    given: Given
    action_id: str
    seq: int


def keep_verdict(db: Writing, given: Given, now_ms: int) -> None:
    """Adds a verdict, or a further revision of one; whoever waits for that in a pull hears of it."""
    if given.change:
        db.announce_verdict(given.change)
    db.execute(
        "insert into verdicts values (:verdict_id, :revision, :kiosk_id, :seq, :patient_id, :visit_id, :verdict, :code,"
        " :conflict, :from_state, :to_state, :changed_version, :definitions_version, :counterpart, :change, :now_ms)",
        {
            "verdict_id": given.verdict_id,
            "revision": given.revision,
            "kiosk_id": given.kiosk_id,
            "seq": given.seq,
            "patient_id": given.patient_id,
            "visit_id": given.visit_id,
            "verdict": given.verdict.value,
            "code": given.code.value,
            "conflict": given.conflict,
            "from_state": given.from_state,
            "to_state": given.to_state,
            "changed_version": given.changed_version,
            "definitions_version": given.definitions_version,
            "counterpart": given.counterpart,
            "change": given.change,
            "now_ms": now_ms,
        },
    )


def verdict_of(db: Reading, verdict_id: str) -> Given | None:
    """The verdict in force; None where none was given."""
    row = db.row(
        "select * from verdicts where verdict_id = :verdict_id order by revision desc limit 1", verdict_id=verdict_id
    )
    return _given(row) if row else None


def revised_for(db: Reading, kiosk_id: str, after: int, limit: int) -> list[Revised]:
    """The first verdicts in force that were given anew under change numbers above `after`, in their order: those of the
    kiosk's own actions, and of all that it has sent, whoever had sent them before."""
    rows = db.rows(
        "select v.*, coalesce(e.action_id, v.verdict_id) as action_id, coalesce((select r.seq from receipts r"
        " where r.verdict_id = v.verdict_id and r.kiosk_id = :kiosk_id order by r.epoch desc, r.seq desc limit 1),"
        # What was quarantined under an id of ours bears another in its case, by which the kiosk knows it.
        " v.seq) as its_seq from verdicts v left join quarantine q on q.verdict_id = v.verdict_id"
        " left join exceptions e on e.exception_id = q.exception_id"
        " where v.change > :after and (v.kiosk_id = :kiosk_id or exists"
        " (select 1 from receipts r where r.verdict_id = v.verdict_id and r.kiosk_id = :kiosk_id))"
        " and not exists (select 1 from verdicts w where w.verdict_id = v.verdict_id and w.revision > v.revision)"
        " order by v.change limit :limit",
        kiosk_id=kiosk_id,
        after=after,
        limit=limit,
    )
    return [Revised(_given(row), row["action_id"], row["its_seq"]) for row in rows]


def told(given: Given, action_id: str, seq: int, journey: Journey | None) -> VerdictRow:
    """A verdict as the kiosk is told it, with the patient's journey."""
    return VerdictRow(
        action_id=action_id,
        seq=seq,
        verdict=given.verdict,
        code=given.code,
        revision=given.revision,
        patient_id=given.patient_id,
        visit_id=given.visit_id,
        journey=journey,
    )


def told_again(db: Reading, definitions: Definitions, today: str, given: Given, action_id: str, seq: int) -> VerdictRow:
    """The same for one that was given before: the verdict as it was, the journey as it stands now."""
    journey = read_journey(db, definitions, given.patient_id, today) if given.patient_id else None
    return told(given, action_id, seq, journey)


def _given(row: sqlite3.Row) -> Given:
    return Given(
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
