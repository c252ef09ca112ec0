"""Judges one action: evidence, resolution, effects and verdict, in the transaction (or savepoint) of the caller."""

from dataclasses import dataclass, replace
from typing import Any

from sync.central.conflicts.evidence import Evidence, ReceivedAction
from sync.central.conflicts.gather import JudgingContext, gather
from sync.central.conflicts.late import write_late
from sync.central.conflicts.resolve import Place, Resolution, resolve
from sync.central.conflicts.waiting import DUPLICATE_NUMBER, REVERSED, NewCase, open_case, put_waiting, tell_staff
from sync.central.records.bindings import binding_of_card, learn
from sync.central.records.entries import holder_of
from sync.central.records.journeys import Provenance, save
from sync.central.records.site import next_label
from sync.central.records.verdicts import VerdictRecord, add_verdict
from sync.central.records.visits import add_alias
from sync.central.store.sqlite import ReadTransaction, WriteTransaction
from sync.journey.model import Decision, Journey, QueueEntry
from sync.protocol import Code, Intent, Verdict

_OF_NOBODY = frozenset({Code.REBOUND, Code.UNKNOWN_CARD, Code.UNKNOWN_PATIENT})


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict as it was kept, and the patient's journey after it (None where it concerns nobody that is known)."""

    record: VerdictRecord
    journey: Journey | None


def judge(db: WriteTransaction, context: JudgingContext, received: ReceivedAction, *, revision: int = 0) -> Judgement:
    """Gives an action its verdict and writes everything that it leaves: journey, history, visit, case, verdict.

    A revision above 0 is a verdict given anew: it takes a change number, under which its kiosk pulls it.
    """
    evidence = gather(db, context, received)
    return enact(db, context, received, evidence, resolve(evidence, received.intent), revision=revision)


def enact(
    db: WriteTransaction,
    context: JudgingContext,
    received: ReceivedAction,
    evidence: Evidence,
    resolution: Resolution,
    *,
    revision: int = 0,
) -> Judgement:
    """Writes a resolution. `revision` as above; at 0 it is that of the resolution."""
    journey = _apply(db, context, received, evidence, resolution)
    record = _given(db, received, evidence, resolution, journey, revision)
    add_verdict(db, record, context.now_ms)
    if resolution.verdict is Verdict.NEEDS_STAFF:
        put_waiting(db, received, evidence, resolution.code, resolution.conflict, context.ids())
    elif resolution.reversed:
        tell_staff(db, received, evidence, REVERSED, resolution.conflict, context.ids())
    elif resolution.code is Code.ANSWERS_DIFFER:
        tell_staff(db, received, evidence, resolution.code, resolution.conflict, context.ids())
    if record.change and record.patient_id is not None:
        db.announce(record.change, record.patient_id)
    return Judgement(record, journey if record.patient_id is not None else None)


def _apply(
    db: WriteTransaction, context: JudgingContext, received: ReceivedAction, evidence: Evidence, resolution: Resolution
) -> Journey:
    """Writes the effect, where it belongs, and returns the patient's journey of today after it."""
    intent, decision = received.intent, resolution.decision
    if resolution.verdict is not Verdict.NEEDS_STAFF:
        _follow_card(db, evidence, intent, context.now_ms)
    if resolution.place is Place.ALIAS and resolution.visit_id is not None:
        add_alias(db, intent.visit_id, resolution.visit_id, context.now_ms)
        _arrived(db, evidence, resolution.visit_id)
    if decision is None:
        return evidence.journey
    if resolution.place is Place.HISTORY:
        _report_duplicates(
            db, context, received, evidence, evidence.visit.history if evidence.visit else None, decision.journey
        )
        write_late(db, context, evidence, decision, _stamp(context, received))
        return evidence.journey
    return _move_today(db, context, received, evidence, decision, applied=resolution.verdict is Verdict.APPLIED)


def _move_today(
    db: WriteTransaction,
    context: JudgingContext,
    received: ReceivedAction,
    evidence: Evidence,
    decision: Decision,
    *,
    applied: bool,
) -> Journey:
    opened = decision.opened
    if opened is not None and not opened.queue_number:
        decision = _numbered(decision, opened, next_label(db, context.settings.ticket_prefix, evidence.today))
    _report_duplicates(db, context, received, evidence, evidence.journey, decision.journey)
    save(db, evidence.journey, decision, _stamp(context, received), received.intent.action_type if applied else None)
    visit_id = decision.journey.visit_id
    if visit_id is not None and visit_id != evidence.journey.visit_id and evidence.arrived_ms is None:
        # The claimed time stays in the history; a visit's arrival is one that can be trusted.
        db.execute(
            "update visits set opened_ms = :at_ms where visit_id = :visit_id",
            {"at_ms": evidence.received_ms, "visit_id": visit_id},
        )
    return decision.journey


def _numbered(decision: Decision, opened: QueueEntry, label: str) -> Decision:
    """The entry under a number of the centre's: the kiosk had joined one that is no more, and printed none."""
    numbered = replace(opened, queue_number=label)
    entries = tuple(numbered if e.queue_id == opened.queue_id else e for e in decision.journey.entries)
    return replace(decision, journey=replace(decision.journey, entries=entries))


def _report_duplicates(
    db: WriteTransaction,
    context: JudgingContext,
    received: ReceivedAction,
    evidence: Evidence,
    before: Journey | None,
    after: Journey,
) -> None:
    """A printed number stays what it is; that another entry bears the same one is for staff to know."""
    for queue_id, number in _numbers(after) - _numbers(before):
        twin = holder_of(db, after.site_day, number, but=queue_id)
        if twin is None:
            continue
        concern = NewCase(
            DUPLICATE_NUMBER,
            received.kiosk_id,
            {"queue_number": number, "queue_ids": [twin, queue_id]},
            patient_id=evidence.subject,
            action_id=received.intent.action_id,
        )
        open_case(db, context.ids(), concern, context.now_ms)


def _numbers(journey: Journey | None) -> set[tuple[str, str]]:
    """The numbers that a journey's entries bear, their own and those of a second slip, each with its entry."""
    entries = journey.entries if journey else ()
    return {(entry.queue_id, number) for entry in entries for number in (entry.queue_number, *entry.label_aliases)}


def _follow_card(db: WriteTransaction, evidence: Evidence, intent: Intent, now_ms: int) -> None:
    """The name that a kiosk made for the holder of an unknown card means this patient from now on; and a card that was
    read under more than one key is known under all of them."""
    if intent.provisional and evidence.subject is not None and evidence.subject != intent.patient_id:
        db.execute(
            "insert into patient_aliases (alias_id, patient_id, since_ms) values (:alias_id, :patient_id, :now_ms)"
            " on conflict (alias_id) do nothing",
            {"alias_id": intent.patient_id, "patient_id": evidence.subject, "now_ms": now_ms},
        )
    owner = binding_of_card(db, intent.cards) if len(intent.cards) > 1 else None
    if owner is not None:
        learn(db, owner.binding_id, intent.cards)


def _arrived(db: WriteTransaction, evidence: Evidence, visit_id: str) -> None:
    """The earliest trusted arrival counts."""
    if evidence.arrived_ms is not None:
        db.execute(
            "update visits set opened_ms = :at_ms where visit_id = :visit_id and opened_ms > :at_ms",
            {"at_ms": evidence.arrived_ms, "visit_id": visit_id},
        )


def _stamp(context: JudgingContext, received: ReceivedAction) -> Provenance:
    intent, happened = received.intent, received.happened
    return Provenance(
        received.kiosk_id,
        received.kiosk_id,
        happened.at_ms,
        context.now_ms,
        happened.quality,
        intent.action_id,
        _metadata(intent),
    )


def _metadata(intent: Intent) -> dict[str, Any]:
    return {
        "epoch": intent.epoch,
        "seq": intent.seq,
        "binding_id": intent.binding_id,
        "queue_number": intent.queue_number,
        "payload": intent.payload,
    }


def _given(
    db: WriteTransaction,
    received: ReceivedAction,
    evidence: Evidence,
    resolution: Resolution,
    after: Journey,
    revision: int,
) -> VerdictRecord:
    intent, before = received.intent, evidence.journey
    from_state, to_state = _states(evidence, resolution, after)
    visit_id = resolution.visit_id or (evidence.visit.visit_id if evidence.visit else None)
    return VerdictRecord(
        verdict_id=intent.action_id,
        kiosk_id=received.kiosk_id,
        seq=intent.seq,
        verdict=resolution.verdict,
        code=resolution.code,
        revision=revision or resolution.revision,
        patient_id=None if resolution.code in _OF_NOBODY else evidence.subject,
        visit_id=visit_id,
        conflict=resolution.conflict,
        from_state=from_state,
        to_state=to_state,
        changed_version=after.journey_version if after.journey_version != before.journey_version else None,
        definitions_version=intent.definitions_version,
        counterpart=_counterpart(db, intent, visit_id) if resolution.verdict in _MET else None,
        change=db.next_change() if revision else 0,
    )


def _states(evidence: Evidence, resolution: Resolution, after: Journey) -> tuple[str, str]:
    """The state before and after: of the visit that the action is of where its day has ended, else of today."""
    visit, decision = evidence.visit, resolution.decision
    if resolution.place is Place.HISTORY and decision is not None:
        began = decision.transitions[0].from_state if decision.transitions else decision.journey.state
        return began, decision.journey.state
    if visit is not None and visit.history.site_day < evidence.today:
        return visit.history.state, visit.history.state
    return evidence.journey.state, after.state


_MET = frozenset({Verdict.MERGED, Verdict.SUPERSEDED})


def _counterpart(db: ReadTransaction, intent: Intent, visit_id: str | None) -> str | None:
    """The action that this one met: the last of the visit that did the same, else the last of the visit."""
    row = db.row(
        "select action_id from transitions where visit_id = :visit_id and action_id is not null"
        " order by case when action = :action then 0 else 1 end, change desc limit 1",
        visit_id=visit_id,
        action=intent.action_type,
    )
    return str(row["action_id"]) if row else None
