"""Settles what waits for staff: it is judged again, and the kiosks pull the verdicts given anew.

Every function is called in the transaction that decided it.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import msgspec

from sync.cards import CardHash
from sync.central.conflicts.evidence import Evidence, ReceivedAction
from sync.central.conflicts.gather import JudgingContext, gather
from sync.central.conflicts.judge import Judgement, enact
from sync.central.conflicts.resolve import Resolution, insist, resolve
from sync.central.conflicts.waiting import WaitingAction, is_empty, settle_case, take_waiting, waiting_for_card
from sync.central.kiosks.quarantine import is_of_the_action
from sync.central.records.kiosks import read_kiosk
from sync.central.records.verdicts import VerdictRecord, add_verdict, latest_verdict
from sync.central.records.visits import is_visit_of
from sync.central.store.sqlite import WriteTransaction
from sync.journey.model import PatientId, VisitId
from sync.protocol import Code, Intent, Verdict

log = logging.getLogger(__name__)

Judge = Callable[[Evidence, Intent], Resolution]
_DISCARDED = Resolution(Verdict.SUPERSEDED, Code.DISCARDED)


def settle_card(db: WriteTransaction, context: JudgingContext, cards: Sequence[CardHash], who: str) -> list[Judgement]:
    """Staff have bound a card: whatever waited because nobody knew it is judged again, in the order in which it came.

    The actions of the same visits that waited for those go along. What needs staff for another reason now is a new
    case; what cannot be judged even now stays in the one it is in.
    """
    judged = []
    for waiting, beside in _in_turn(context, waiting_for_card(db, cards)):
        try:
            with db.savepoint():
                judged.append(_judge_again(db, beside, waiting, resolve))
                if is_empty(db, waiting.exception_id):
                    record = judged[-1].record
                    settlement = {"verdict": record.verdict, "code": record.code, "revision": record.revision}
                    settle_case(db, waiting.exception_id, who, settlement, context.now_ms)
        except Exception as error:
            if not is_of_the_action(error):
                raise
            log.error("action %s cannot be settled: %s", waiting.verdict_id, type(error).__name__)  # noqa: TRY400
    return judged


def apply_case(
    db: WriteTransaction, context: JudgingContext, actions: Sequence[WaitingAction]
) -> list[Judgement] | None:
    """Staff say that the actions of a case count as they stand. None, and nothing is written, where the rules refuse
    the first even so; one made on top of it that they refuse is judged as any other."""
    turns = list(_in_turn(context, actions))
    first, beside = turns[0]

    def insisting(evidence: Evidence, intent: Intent) -> Resolution | None:
        return insist(replace(evidence, rules=evidence.rules or context.definitions), intent)

    received = _heard(db, first)
    if insisting(gather(db, beside, received), received.intent) is None:
        return None
    return [_judge_again(db, on, each, lambda k, i: insisting(k, i) or resolve(k, i)) for each, on in turns]


def discard_case(db: WriteTransaction, context: JudgingContext, actions: Sequence[WaitingAction]) -> list[Judgement]:
    """Staff say that nothing of a case counts. What failed inside would fail again, so no judge sees it."""
    judged = []
    for each, on in _in_turn(context, actions):
        before = latest_verdict(db, each.verdict_id)
        if before is not None and before.code is Code.QUARANTINED:
            take_waiting(db, each.verdict_id)
            discard_verdict(db, each.verdict_id, context.now_ms)
        else:
            judged.append(_judge_again(db, on, each, lambda _, __: _DISCARDED))
    return judged


def reassign_case(
    db: WriteTransaction,
    context: JudgingContext,
    actions: Sequence[WaitingAction],
    patient_id: PatientId,
    visit_id: VisitId,
) -> list[Judgement]:
    """Staff say that the actions of a case are another patient's: judged again as theirs, in that visit where theirs
    is not one of that patient already.

    A name that a kiosk had made for an unknown card means that patient from then on.
    """
    judged = []
    for each, on in _in_turn(context, actions):
        if each.intent.provisional:
            db.execute(
                "insert into patient_aliases (alias_id, patient_id, since_ms) values (:alias_id, :patient_id, :now_ms)"
                " on conflict (alias_id) do nothing",
                {"alias_id": each.intent.patient_id, "patient_id": patient_id, "now_ms": context.now_ms},
            )
        theirs = msgspec.structs.replace(
            each.intent,
            patient_id=patient_id,
            visit_id=each.intent.visit_id if is_visit_of(db, each.intent.visit_id, patient_id) else visit_id,
            provisional=False,
            cards=(),
            binding_id=None,
            base_version=0,
        )
        judged.append(_judge_again(db, on, replace(each, intent=theirs), resolve))
    return judged


def discard_verdict(db: WriteTransaction, verdict_id: str, now_ms: int) -> None:
    """The same for what was quarantined, which no judge ever saw."""
    before = latest_verdict(db, verdict_id)
    assert before is not None
    record = replace(
        before,
        verdict=Verdict.SUPERSEDED,
        code=Code.DISCARDED,
        revision=before.revision + 1,
        change=db.next_change(),
    )
    add_verdict(db, record, now_ms)
    _keep_outcome(db, record)


def _in_turn(context: JudgingContext, found: Sequence[WaitingAction]) -> Iterator[tuple[WaitingAction, JudgingContext]]:
    """Each action with the bench that judges it: none waits for itself, nor for one that is judged after it."""
    for place, waiting in enumerate(found):
        yield waiting, replace(context, settling=frozenset(each.verdict_id for each in found[place:]))


def _judge_again(db: WriteTransaction, context: JudgingContext, waiting: WaitingAction, judge: Judge) -> Judgement:
    before = latest_verdict(db, waiting.verdict_id)
    assert before is not None
    take_waiting(db, waiting.verdict_id)
    received = _heard(db, waiting)
    evidence = gather(db, context, received)
    judged = enact(db, context, received, evidence, judge(evidence, received.intent), revision=before.revision + 1)
    _keep_outcome(db, judged.record)
    return judged


def _heard(db: WriteTransaction, waiting: WaitingAction) -> ReceivedAction:
    """The action as it came in, by what its kiosk is granted now."""
    sender = read_kiosk(db, waiting.kiosk_id)
    grants = sender.grants if sender else ()
    return ReceivedAction(waiting.intent, waiting.kiosk_id, grants, waiting.sent, waiting.received_ms)


def _keep_outcome(db: WriteTransaction, record: VerdictRecord) -> None:
    db.execute(
        "update actions set outcome = :outcome, patient_id = :patient_id where action_id = :action_id",
        {"outcome": record.verdict.value, "patient_id": record.patient_id, "action_id": record.verdict_id},
    )
