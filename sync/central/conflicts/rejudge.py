"""Judges actions again that wait for staff. Kiosks pull the revised verdicts.

Every function runs in the transaction of the decision that it follows from.
"""

import logging
from collections.abc import Callable, Iterator, Sequence

from msgspec.structs import replace

from sync.cards import CardHash
from sync.central.conflicts.evidence import Evidence, ReceivedAction
from sync.central.conflicts.gather import JudgingContext, gather
from sync.central.conflicts.judge import Judgement, enact
from sync.central.conflicts.resolution import Resolution
from sync.central.conflicts.resolve import resolve, resolve_for_staff
from sync.central.records.cases import close_case, hand_to_staff
from sync.central.records.idempotency import update_outcome
from sync.central.records.kiosks import read_kiosk
from sync.central.records.patients import add_patient_alias
from sync.central.records.verdicts import VerdictRecord, add_verdict, latest_verdict
from sync.central.records.visits import is_visit_of
from sync.central.records.waiting import (
    WaitingAction,
    has_waiting,
    remove_waiting,
    set_waiting_code,
    waiting_for_card,
)
from sync.central.store.errors import is_of_the_action
from sync.central.store.transactions import WriteTransaction
from sync.journey.model import PatientId, VisitId
from sync.protocol import Code, Intent, Verdict

log = logging.getLogger(__name__)

Judge = Callable[[Evidence, Intent], Resolution]
_DISCARDED = Resolution(Verdict.SUPERSEDED, Code.DISCARDED)


def rejudge_card(db: WriteTransaction, context: JudgingContext, cards: Sequence[CardHash], who: str) -> list[Judgement]:
    """Judges the actions again that waited for a card which staff have bound now, and those of the same visits."""
    return rejudge(db, context, waiting_for_card(db, cards, Code.UNKNOWN_CARD), who)


def rejudge(
    db: WriteTransaction, context: JudgingContext, actions: Sequence[WaitingAction], who: str
) -> list[Judgement]:
    """Judges waiting actions again, in the order of receipt, since what they waited for has come.

    An action that needs staff for another reason gets a new case. An action with an internal error stays in its case.
    A case without waiting actions is closed.
    """
    judged = []
    for waiting, own_context in _with_contexts(context, actions):
        try:
            with db.savepoint():
                judged.append(_judge_again(db, own_context, waiting, resolve))
                if not has_waiting(db, waiting.exception_id):
                    record = judged[-1].record
                    settlement = {"verdict": record.verdict, "code": record.code, "revision": record.revision}
                    close_case(db, waiting.exception_id, who, settlement, context.now_ms)
        except Exception as error:
            if not is_of_the_action(error):
                raise
            log.error("action %s cannot be judged again: %s", waiting.verdict_id, type(error).__name__)  # noqa: TRY400
    return judged


def apply_case(
    db: WriteTransaction, context: JudgingContext, actions: Sequence[WaitingAction]
) -> list[Judgement] | None:
    """Judges the actions of a case again after staff chose "apply".

    None where the rules still refuse the first action; nothing is written then. A later action that the rules
    refuse is judged as any other.
    """
    turns = list(_with_contexts(context, actions))
    first, first_context = turns[0]

    def for_staff(evidence: Evidence, intent: Intent) -> Resolution | None:
        return resolve_for_staff(replace(evidence, rules=evidence.rules or context.definitions), intent)

    received = _as_received(db, first)
    if for_staff(gather(db, first_context, received), received.intent) is None:
        return None
    return [
        _judge_again(
            db, own_context, each, lambda evidence, intent: for_staff(evidence, intent) or resolve(evidence, intent)
        )
        for each, own_context in turns
    ]


def discard_case(db: WriteTransaction, context: JudgingContext, actions: Sequence[WaitingAction]) -> list[Judgement]:
    """Ends the actions of a case as superseded, with the code `discarded`, after staff chose "discard".

    A quarantined action gets its verdict without being judged, since the internal error would come again.
    """
    judged = []
    for each, own_context in _with_contexts(context, actions):
        before = latest_verdict(db, each.verdict_id)
        if before is not None and before.code is Code.QUARANTINED:
            remove_waiting(db, each.verdict_id)
            discard_verdict(db, each.verdict_id, context.now_ms)
        else:
            judged.append(_judge_again(db, own_context, each, lambda _, __: _DISCARDED))
    return judged


def reassign_case(
    db: WriteTransaction,
    context: JudgingContext,
    actions: Sequence[WaitingAction],
    patient_id: PatientId,
    visit_id: VisitId,
) -> list[Judgement]:
    """Judges the actions of a case again as another patient's, after staff chose "reassign".

    `visit_id` is the visit for actions whose own visit is not one of that patient. The kiosk's id for the holder of an
    unknown card becomes an alias of the patient.
    """
    judged = []
    for each, own_context in _with_contexts(context, actions):
        if each.intent.provisional:
            add_patient_alias(db, each.intent.patient_id, patient_id, context.now_ms)
        reassigned = replace(
            each.intent,
            patient_id=patient_id,
            visit_id=each.intent.visit_id if is_visit_of(db, each.intent.visit_id, patient_id) else visit_id,
            provisional=False,
            card=None,
            binding_id=None,
            base_version=0,
        )
        judged.append(_judge_again(db, own_context, replace(each, intent=reassigned), resolve))
    return judged


def discard_verdict(db: WriteTransaction, verdict_id: str, now_ms: int) -> None:
    """Ends a quarantined body as superseded, with the code `discarded`. The body itself was never judged."""
    supersede(db, verdict_id, Code.DISCARDED, now_ms)


def give_to_staff(db: WriteTransaction, actions: Sequence[WaitingAction], now_ms: int) -> None:
    """Gives actions to staff that have waited for the word of the other system, with their cases. Kiosks pull that."""
    for each in actions:
        _revise(db, each.verdict_id, Verdict.NEEDS_STAFF, Code.NOT_CONFIRMED, now_ms)
        set_waiting_code(db, each.verdict_id, Code.NOT_CONFIRMED)
        hand_to_staff(db, each.exception_id, Code.NOT_CONFIRMED, now_ms)


def supersede(db: WriteTransaction, verdict_id: str, code: Code, now_ms: int) -> None:
    """Ends an action as superseded, with this code, without a judgement. Kiosks pull the verdict."""
    _update_outcome(db, _revise(db, verdict_id, Verdict.SUPERSEDED, code, now_ms))


def _revise(db: WriteTransaction, verdict_id: str, verdict: Verdict, code: Code, now_ms: int) -> VerdictRecord:
    """Adds a revision of a verdict without a judgement."""
    before = latest_verdict(db, verdict_id)
    assert before is not None
    record = replace(before, verdict=verdict, code=code, revision=before.revision + 1, change=db.next_change())
    add_verdict(db, record, now_ms)
    return record


def _with_contexts(
    context: JudgingContext, actions: Sequence[WaitingAction]
) -> Iterator[tuple[WaitingAction, JudgingContext]]:
    """Each action with its context. In the context, neither the action itself nor a later action waits."""
    for place, waiting in enumerate(actions):
        yield waiting, replace(context, rejudged=frozenset(each.verdict_id for each in actions[place:]))


def _judge_again(db: WriteTransaction, context: JudgingContext, waiting: WaitingAction, judge: Judge) -> Judgement:
    before = latest_verdict(db, waiting.verdict_id)
    assert before is not None
    remove_waiting(db, waiting.verdict_id)
    received = _as_received(db, waiting)
    evidence = gather(db, context, received)
    judged = enact(db, context, received, evidence, judge(evidence, received.intent), revision=before.revision + 1)
    _update_outcome(db, judged.record)
    return judged


def _as_received(db: WriteTransaction, waiting: WaitingAction) -> ReceivedAction:
    """The action as received, with the grants that its kiosk has now."""
    sender = read_kiosk(db, waiting.kiosk_id)
    grants = sender.grants if sender else ()
    return ReceivedAction(
        waiting.intent, waiting.kiosk_id, grants, waiting.sent, waiting.received_ms, window=waiting.window
    )


def _update_outcome(db: WriteTransaction, record: VerdictRecord) -> None:
    update_outcome(db, record.verdict_id, record.patient_id, record.verdict.value)
