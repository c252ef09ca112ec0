"""Judges one action: evidence, resolution, effects and verdict, in the transaction (or savepoint) of the caller."""

from typing import Any

import msgspec
from msgspec.structs import replace

from sync.central.conflicts.evidence import Evidence, ReceivedAction
from sync.central.conflicts.gather import JudgingContext, gather
from sync.central.conflicts.late import write_late
from sync.central.conflicts.resolution import Place, Resolution
from sync.central.conflicts.resolve import resolve
from sync.central.conflicts.waiting import hold_for_staff, report_to_staff
from sync.central.records.cases import DUPLICATE_NUMBER, REVERSED, NewCase, open_case
from sync.central.records.effects import Changed, Effect, add_effect
from sync.central.records.exams import read_exam
from sync.central.records.history import Provenance, last_action_of_visit
from sync.central.records.journeys import save
from sync.central.records.patients import add_patient_alias
from sync.central.records.proofs import use_proof
from sync.central.records.queue_numbers import next_queue_number, twin_of_number
from sync.central.records.verdicts import VerdictRecord, add_verdict
from sync.central.records.visit_tokens import open_visit, refuse_visit
from sync.central.records.visits import add_visit_alias, set_arrival, set_earlier_arrival
from sync.central.store.transactions import WriteTransaction
from sync.journey.model import Decision, Journey, QueueEntry
from sync.journey.moves import on_ticket
from sync.journey.proof import proof_in
from sync.journey.take_back import before
from sync.protocol import Code, Intent, Verdict

_WITHOUT_PATIENT = frozenset({Code.REBOUND, Code.BLOCKED_CARD, Code.UNKNOWN_CARD, Code.UNKNOWN_PATIENT})
_MET_ANOTHER = frozenset({Verdict.MERGED, Verdict.SUPERSEDED})


class Judgement(msgspec.Struct, frozen=True):
    """A verdict as it was recorded, and the patient's journey after it (None where no known patient is concerned)."""

    record: VerdictRecord
    journey: Journey | None


class _JudgedAction(msgspec.Struct, frozen=True):
    """One action under judgement: the context, the action as received, and the evidence."""

    context: JudgingContext
    received: ReceivedAction
    evidence: Evidence

    @property
    def intent(self) -> Intent:
        return self.received.intent

    @property
    def provenance(self) -> Provenance:
        """The origin that the rows of the action's effects name."""
        intent, happened = self.intent, self.received.happened
        kiosk_id = self.received.kiosk_id
        return Provenance(
            kiosk_id,
            kiosk_id,
            happened.at_ms,
            self.context.now_ms,
            happened.quality,
            intent.action_id,
            _metadata(intent),
        )


def judge(db: WriteTransaction, context: JudgingContext, received: ReceivedAction, *, revision: int = 0) -> Judgement:
    """Gives an action its verdict and writes all its rows: journey, history, visit, case, verdict.

    A `revision` above 0 revises an earlier verdict. The revision takes a change number, under which kiosks pull it.
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
    revision: int,
) -> Judgement:
    """Writes a resolution and its verdict. `revision` is as in `judge`; at 0 the resolution's own revision counts."""
    judged = _JudgedAction(context, received, evidence)
    names = _give_names(db, judged, resolution)
    journey = _apply(db, judged, resolution)
    if resolution.verdict is Verdict.APPLIED:
        _use_proof(db, judged, resolution)
    record = _verdict_record(db, judged, resolution, journey, revision)
    add_verdict(db, record, context.now_ms)
    _follow_visit(db, judged, record)
    _record_effect(db, judged, resolution, names, record, by_staff=revision > 0)
    _inform_staff(db, judged, resolution)
    if record.change and record.patient_id is not None:
        db.announce(record.change, record.patient_id)
    return Judgement(record, journey if record.patient_id is not None else None)


def _follow_visit(db: WriteTransaction, judged: _JudgedAction, record: VerdictRecord) -> None:
    """Opens the visit to the secret that the kiosk showed. One whose action waits for staff is not known yet."""
    token_hash, now_ms = judged.intent.visit_hash, judged.context.now_ms
    if not token_hash or record.verdict is Verdict.NEEDS_STAFF:
        return
    if record.code is Code.DISCARDED or record.patient_id is None or record.visit_id is None:
        refuse_visit(db, token_hash, record.verdict_id, now_ms)
    else:
        open_visit(db, token_hash, record.verdict_id, record.patient_id, record.visit_id, now_ms)


def _inform_staff(db: WriteTransaction, judged: _JudgedAction, resolution: Resolution) -> None:
    """Opens a case for an action that waits for staff, or whose verdict staff must know of."""
    code = resolution.code
    if resolution.verdict is Verdict.NEEDS_STAFF:
        case_id = judged.context.ids()
        hold_for_staff(db, judged.received, judged.evidence, code, resolution.conflict, case_id)
    elif resolution.reversed or code is Code.ANSWERS_DIFFER:
        case_code = REVERSED if resolution.reversed else code
        case_id = judged.context.ids()
        report_to_staff(db, judged.received, judged.evidence, case_code, resolution.conflict, case_id)


def _apply(db: WriteTransaction, judged: _JudgedAction, resolution: Resolution) -> Journey:
    """Writes the effect in its place, and returns the patient's journey of today after the effect."""
    evidence, decision = judged.evidence, resolution.decision
    if decision is None:
        return evidence.journey
    if resolution.place is Place.HISTORY:
        # A number that was given on a later day than that of the visit is none of that day.
        if judged.intent.site_day <= decision.journey.site_day:
            _report_duplicates(db, judged, evidence.visit.history if evidence.visit else None, decision.journey)
        write_late(db, judged.context, evidence, decision, judged.provenance)
        return evidence.journey
    return _move_today(db, judged, decision, applied=resolution.verdict is Verdict.APPLIED)


def _use_proof(db: WriteTransaction, judged: _JudgedAction, resolution: Resolution) -> None:
    """Notes that the proof of an applied action counts for its visit."""
    intent, rules = judged.intent, judged.evidence.rules
    rule = rules.actions.get(intent.action_type) if rules else None
    proof = proof_in(rule, intent.payload) if rule else None
    if proof is not None and resolution.visit_id is not None:
        use_proof(db, intent.action_type, proof, resolution.visit_id)


def _move_today(db: WriteTransaction, judged: _JudgedAction, decision: Decision, *, applied: bool) -> Journey:
    evidence = judged.evidence
    opened = decision.opened
    if opened is not None and not opened.queue_number:
        context = judged.context
        prefix = context.settings.ticket_prefix
        # The kiosk printed none, since it had joined another entry.
        number = next_queue_number(db, context.definitions, prefix, evidence.today, context.now_ms)
        decision = _with_opened(decision, replace(opened, queue_number=number))
    elif opened is not None:
        printed = read_exam(db, judged.intent.exam_id)
        decision = _with_opened(decision, on_ticket(opened, printed)) if printed else decision
    _report_duplicates(db, judged, evidence.journey, decision.journey)
    save(db, evidence.journey, decision, judged.provenance, judged.intent.action_type if applied else None)
    visit_id = decision.journey.visit_id
    if visit_id is not None and visit_id != evidence.journey.visit_id and evidence.arrived_ms is None:
        # History keeps the time that the kiosk claimed. The arrival of a visit must be a time that can be trusted.
        set_arrival(db, visit_id, evidence.received_ms)
    return decision.journey


def _with_opened(decision: Decision, opened: QueueEntry) -> Decision:
    """The decision with the entry that it opened as it stands on paper."""
    return replace(decision, journey=decision.journey.with_entry(opened))


def _report_duplicates(db: WriteTransaction, judged: _JudgedAction, before: Journey | None, after: Journey) -> None:
    """Opens a case for each new queue number that another entry has too. A printed number stays as it is."""
    if before is not None and after.entries == before.entries:
        return
    definitions, today = judged.context.definitions, judged.evidence.today
    for queue_id, number in _numbers(after) - _numbers(before):
        twin = twin_of_number(db, definitions, after.site_day, today, number, but=queue_id)
        if twin is not None:
            new = NewCase(
                DUPLICATE_NUMBER,
                judged.received.kiosk_id,
                {"queue_number": number, "queue_ids": [twin, queue_id]},
                patient_id=judged.evidence.subject,
                action_id=judged.intent.action_id,
            )
            open_case(db, judged.context.ids(), new, judged.context.now_ms)


def _numbers(journey: Journey | None) -> set[tuple[str, str]]:
    """The queue numbers of a journey's entries, aliases included, each with the id of its entry."""
    entries = journey.entries if journey else ()
    return {(entry.queue_id, number) for entry in entries for number in (entry.queue_number, *entry.label_aliases)}


def _give_names(db: WriteTransaction, judged: _JudgedAction, resolution: Resolution) -> Changed:
    """Makes the ids that the kiosk made other names of the patient and of the visit. Returns those that are new.

    An action that waits, or that staff discarded, names nobody.
    """
    names, context, visit_id = Changed(), judged.context, resolution.visit_id
    if resolution.code is not Code.DISCARDED and resolution.verdict is not Verdict.NEEDS_STAFF:
        names = _follow_card(db, judged)
    if resolution.place is not Place.ALIAS or visit_id is None:
        return names
    if add_visit_alias(db, judged.intent.visit_id, visit_id, context.now_ms):
        names = replace(names, visit_alias=judged.intent.visit_id)
    if judged.evidence.arrived_ms is not None:
        names = replace(names, arrival=set_earlier_arrival(db, visit_id, judged.evidence.arrived_ms))
    return names


def _follow_card(db: WriteTransaction, judged: _JudgedAction) -> Changed:
    """Makes a kiosk's own id for the holder of an unknown card an alias of the patient."""
    intent, subject = judged.intent, judged.evidence.subject
    if not intent.provisional or subject is None or subject == intent.patient_id:
        return Changed()
    is_new = add_patient_alias(db, intent.patient_id, subject, judged.context.now_ms)
    return Changed(patient_alias=intent.patient_id if is_new else None)


def _record_effect(
    db: WriteTransaction,
    judged: _JudgedAction,
    resolution: Resolution,
    names: Changed,
    record: VerdictRecord,
    *,
    by_staff: bool,
) -> None:
    """Records the way back for an action that changed something."""
    evidence, decision = judged.evidence, resolution.decision
    journey = _history(evidence) if resolution.place is Place.HISTORY else evidence.journey
    rule = evidence.rules.actions.get(judged.intent.action_type) if evidence.rules else None
    changed = replace(
        names,
        before=before(journey, decision) if decision is not None else None,
        is_money=rule is not None and rule.money,
        by_staff=by_staff,
    )
    if changed.is_nothing or evidence.subject is None:
        return
    kiosk_id, now_ms = judged.received.kiosk_id, judged.context.now_ms
    effect = Effect(record.verdict_id, kiosk_id, evidence.subject, record.visit_id, changed, record.seq, now_ms)
    add_effect(db, effect)


def _history(evidence: Evidence) -> Journey:
    """The ended day that a late action is of, before the action."""
    if evidence.visit is not None:
        return evidence.visit.history
    patient_id = evidence.journey.patient_id
    return Journey(patient_id, evidence.rules.initial if evidence.rules else evidence.journey.state, evidence.day)


def _metadata(intent: Intent) -> dict[str, Any]:
    return {
        "epoch": intent.epoch,
        "seq": intent.seq,
        "binding_id": intent.binding_id,
        "queue_number": intent.queue_number,
        "payload": intent.payload,
    }


def _verdict_record(
    db: WriteTransaction, judged: _JudgedAction, resolution: Resolution, after: Journey, revision: int
) -> VerdictRecord:
    intent, evidence = judged.intent, judged.evidence
    from_state, to_state = _states(evidence, resolution, after)
    visit_id = resolution.visit_id or (evidence.visit.visit_id if evidence.visit else None)
    met_in = visit_id if resolution.verdict in _MET_ANOTHER else None
    return VerdictRecord(
        verdict_id=intent.action_id,
        kiosk_id=judged.received.kiosk_id,
        seq=intent.seq,
        verdict=resolution.verdict,
        code=resolution.code,
        revision=revision or resolution.revision,
        patient_id=None if resolution.code in _WITHOUT_PATIENT else evidence.subject,
        visit_id=visit_id,
        conflict=resolution.conflict,
        from_state=from_state,
        to_state=to_state,
        changed_version=after.journey_version if after.journey_version != evidence.journey.journey_version else None,
        definitions_version=intent.definitions_version,
        counterpart=last_action_of_visit(db, met_in, intent.action_type) if met_in is not None else None,
        change=db.next_change() if revision else 0,
    )


def _states(evidence: Evidence, resolution: Resolution, after: Journey) -> tuple[str, str]:
    """The states before and after the action: of its visit where the visit's day has ended, else of today's journey."""
    visit, decision = evidence.visit, resolution.decision
    if decision is not None:
        began = decision.transitions[0].from_state if decision.transitions else decision.journey.state
        return began, decision.journey.state
    if visit is not None and visit.history.site_day < evidence.today:
        return visit.history.state, visit.history.state
    return evidence.journey.state, after.state
