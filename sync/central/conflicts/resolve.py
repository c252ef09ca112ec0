"""The table of conflicts: the verdict for an action that a kiosk accepted before the centre received it.

`resolve(evidence, intent)` is pure. Its result holds the verdict, the place of the action's effect, and the decision of
the rules there. Each row of `TABLE` either decides the action or passes it on to the next row. The numbers of the rows
are those of `docs/protocol.md`. A new kind of conflict is a new row.
"""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from msgspec.structs import replace

from sync.central.conflicts.evidence import Evidence
from sync.central.conflicts.resolution import Place, Resolution
from sync.journey.definitions import ActionRule, Definitions
from sync.journey.line import at_earlier_arrival
from sync.journey.model import (
    STAFF,
    Action,
    ActionId,
    Actor,
    Decision,
    ExamId,
    Journey,
    Opens,
    QueueEntry,
    QueueId,
    Refusal,
    Role,
    VisitId,
)
from sync.journey.proof import lacks_proof
from sync.journey.rules import decide, may_send
from sync.protocol import Code, Intent, PriorVerdict, Verdict


class ConflictCase(msgspec.Struct, frozen=True):
    """An action with its rule and evidence, as the rows of the table examine it.

    - `live`: the action belongs to the visit that the patient is on.
    - `fits`: the patient's visit, leg and state are those that the kiosk showed at the action.
    - `opens_visit`: the action would open its visit.
    - `leg`: the leg that the action was made in, or the leg that it would begin.
    - `done_before`: the visit's history holds this action for this leg already, from any sender.
    """

    evidence: Evidence
    intent: Intent
    rules: Definitions
    rule: ActionRule
    action: Action
    live: bool
    fits: bool
    opens_visit: bool
    leg: int
    done_before: bool


@dataclass(frozen=True, slots=True)
class ConflictRule:
    """One row of the table: its number (0: a plain check), and the function that decides an action or gives None."""

    number: int
    judge: Callable[[ConflictCase], Resolution | None]


def resolve(evidence: Evidence, intent: Intent) -> Resolution:
    """The verdict for an action, and its effect. The first row of the table that fits decides."""
    return _after_prior_verdict(evidence.prior_verdict, _resolved(evidence, intent))


def resolve_for_staff(evidence: Evidence, intent: Intent) -> Resolution | None:
    """The verdict for an action that staff chose to apply, as if staff had done it; None where the rules refuse it.

    No conflict counts against such an action.
    """
    rule = evidence.rules.actions.get(intent.action_type) if evidence.rules else None
    if evidence.rules is None or rule is None or evidence.subject is None:
        return None
    case = _case(evidence, intent, evidence.rules, rule, replace(action_of(evidence, intent), actor=STAFF))
    found = _late(case) or _opened_elsewhere(case) or _decided(case)
    return found if found.verdict in _DONE else None


def _resolved(evidence: Evidence, intent: Intent) -> Resolution:
    if evidence.rules is None:
        return Resolution(Verdict.NEEDS_STAFF, Code.OLD_RULES, 12)
    rule = evidence.rules.actions.get(intent.action_type)
    if rule is None:
        return _to_staff(Code.NOT_ALLOWED)
    case = _case(evidence, intent, evidence.rules, rule, action_of(evidence, intent))
    for row in TABLE:
        found = row.judge(case)
        if found is not None:
            return _left_to_the_other_system(case, replace(found, conflict=found.conflict or row.number))
    return _left_to_the_other_system(case, _decided(case))


def _case(evidence: Evidence, intent: Intent, rules: Definitions, rule: ActionRule, action: Action) -> ConflictCase:
    journey, visit, leg = evidence.journey, evidence.visit, intent.leg + int(rule.opens_entry)
    is_live = visit is not None and visit.visit_id == journey.visit_id
    return ConflictCase(
        evidence,
        intent,
        rules,
        rule,
        action,
        live=is_live,
        fits=is_live and (journey.leg, journey.state) == (intent.leg, intent.journey_state),
        opens_visit=rule.visit == "open",
        leg=leg,
        done_before=visit is not None and (rule.name, leg) in visit.done,
    )


def action_of(evidence: Evidence, intent: Intent) -> Action:
    """The action as the rules see it.

    Its place in a line comes from the time of the action where that can be trusted, else from the time of receipt.
    """
    exam_id = intent.payload.get("exam_id")
    opens = Opens(VisitId(intent.visit_id), QueueId(intent.queue_id), intent.queue_number, evidence.walk_in)
    return Action(
        ActionId(intent.action_id),
        intent.action_type,
        Actor(Role.KIOSK, evidence.grants),
        evidence.received_ms if evidence.arrived_ms is None else evidence.arrived_ms,
        opens,
        exam_id=ExamId(exam_id) if isinstance(exam_id, str) else None,
        payload=intent.payload,
    )


_MERGED = Resolution(Verdict.MERGED, Code.ALREADY_SO)
_DONE = frozenset({Verdict.APPLIED, Verdict.MERGED})


def _after_prior_verdict(prior: PriorVerdict | None, found: Resolution) -> Resolution:
    """Sets the revision of a verdict on an action that was judged before the centre was restored.

    A verdict that differs from the prior one is a new revision. An action that is no longer applied is reported to
    staff.
    """
    if prior is None:
        return found
    if (prior.verdict, prior.code) == (found.verdict, found.code):
        return replace(found, revision=prior.revision)
    undone = prior.verdict is Verdict.APPLIED and found.verdict not in _DONE
    conflict = 16 if undone else found.conflict
    return replace(found, revision=prior.revision + 1, reversed=undone, conflict=conflict)


def _forbidden(case: ConflictCase) -> Resolution | None:
    """The kiosk is not granted the action."""
    return None if may_send(case.rule, case.action.actor) else _to_staff(Code.FORBIDDEN)


def _depends(case: ConflictCase) -> Resolution | None:
    """An action made on top of one that waits for staff waits with it, unless it fits the patient's journey anyway."""
    return _to_staff(Code.DEPENDS) if case.evidence.visit_waits and not case.fits else None


def _blocked(case: ConflictCase) -> Resolution | None:
    """The card was reported lost. The action changes nobody, also not its holder."""
    return _to_staff(Code.BLOCKED_CARD) if case.evidence.card_blocked else None


def _unknown(case: ConflictCase) -> Resolution | None:
    """The centre knows no such patient, or no holder of the card."""
    if case.evidence.subject is not None:
        return None
    return _to_staff(Code.UNKNOWN_CARD if case.intent.provisional else Code.UNKNOWN_PATIENT)


def _rebound(case: ConflictCase) -> Resolution | None:
    """The card, or the binding that it was read under, is another patient's. The action changes neither patient."""
    others = {case.evidence.card_holder, case.evidence.binding_holder} - {None, case.evidence.subject}
    return _to_staff(Code.REBOUND) if others else None


def _two_visits(case: ConflictCase) -> Resolution | None:
    """Two records were merged while each was on a visit. Only staff can decide which visit counts."""
    return _to_staff(Code.TWO_VISITS) if case.evidence.two_visits else None


def _told(case: ConflictCase) -> Resolution | None:
    """The other system that decides the action has said that it did it. Its word has moved the journey already.

    What opens a visit or an entry has ids and a number of the kiosk's, which the rows below take care of.
    """
    if not case.evidence.has_word or not case.live or case.rule.opens_entry:
        return None
    return _answers_differ(case) or _MERGED


def _left_to_the_other_system(case: ConflictCase, found: Resolution) -> Resolution:
    """An action that another system decides waits for its word, where the centre alone would decide it now."""
    is_decided_here = found.verdict is Verdict.APPLIED or found.code is Code.NOT_ALLOWED
    if not case.evidence.decided_elsewhere or not is_decided_here:
        return found
    return Resolution(Verdict.NEEDS_STAFF, Code.DECIDED_ELSEWHERE, 19)


def _money(case: ConflictCase) -> Resolution | None:
    """Money has moved. An action that does not fit exactly goes to staff, and is never dropped or guessed at."""
    return _to_staff(Code.MONEY) if case.rule.money and not case.fits else None


def _unproven(case: ConflictCase) -> Resolution | None:
    """The action needs a proof, such as the id of a receipt. It has none, or one that counts for another visit."""
    if lacks_proof(case.rule, case.action.actor, case.action.payload):
        return _to_staff(Code.PROOF_MISSING)
    return _to_staff(Code.PROOF_USED) if case.evidence.proof_used else None


def _denied(case: ConflictCase) -> Resolution | None:
    """Staff took back that a kiosk opened the visit. Here somebody was at another kiosk, and only staff know who."""
    return _to_staff(Code.CORRECTED) if case.evidence.denied else None


def _corrected(case: ConflictCase) -> Resolution | None:
    """Staff corrected the journey since the kiosk's last pull. A printed queue number still becomes an alias."""
    if not case.evidence.corrected:
        return None
    found = Resolution(Verdict.SUPERSEDED, Code.CORRECTED)
    entry = _of_leg(case.evidence.journey, case.leg) if case.live and case.rule.opens_entry else None
    labelled = _second_label(case, entry, moves_up=False) if entry else None
    return replace(found, place=Place.TODAY, decision=labelled) if labelled else found


def _answers_differ(case: ConflictCase) -> Resolution | None:
    """The action was done elsewhere with other answers. The journey goes on, and staff get both sets of answers."""
    if case.fits or not case.done_before or case.rule.opens_entry or case.opens_visit:
        return None
    payload, recorded = case.intent.payload, case.evidence.recorded_payload
    differs = any(recorded.get(name) != value for name, value in payload.items())
    return replace(_MERGED, code=Code.ANSWERS_DIFFER) if differs else None


def _late(case: ConflictCase) -> Resolution | None:
    """The day of the action has ended. Its effect goes to the visit's history, and today's journey stays."""
    evidence, visit = case.evidence, case.evidence.visit
    if visit is None:
        if not case.opens_visit or evidence.day >= evidence.today:
            return None
        if evidence.unseen_visit is not None:
            return _alias(evidence.unseen_visit)
        history = Journey(evidence.journey.patient_id, case.rules.initial, evidence.day)
    elif visit.history.site_day >= evidence.today:
        return None
    else:
        history = visit.history
    outcome = decide(case.rules, history, case.action)
    if isinstance(outcome, Decision):
        visit_id = outcome.journey.visit_id or history.visit_id
        return Resolution(Verdict.APPLIED, Code.LATE, place=Place.HISTORY, visit_id=visit_id, decision=outcome)
    return _MERGED if case.done_before else Resolution(Verdict.SUPERSEDED, Code.LATE)


def _opened_elsewhere(case: ConflictCase) -> Resolution | None:
    """Another visit of the same stay was opened first, at another kiosk or unseen by this one.

    Both are one visit, under the id of the visit that the centre accepted first.
    """
    evidence = case.evidence
    if not case.opens_visit:
        return None
    if evidence.visit is not None:
        return _MERGED
    if evidence.unseen_visit is not None:
        return _alias(evidence.unseen_visit)
    if evidence.journey.visit_id is not None and isinstance(decide(case.rules, evidence.journey, case.action), Refusal):
        return _alias(evidence.journey.visit_id)
    return None


def _other_visit(case: ConflictCase) -> Resolution | None:
    """The visit of the action is over, or the centre does not know it."""
    if case.live or case.opens_visit:
        return None
    if case.evidence.visit is None:
        return _to_staff(Code.NOT_ALLOWED)
    return _MERGED if case.done_before else Resolution(Verdict.SUPERSEDED, Code.MOVED_ON)


def _second_slip(case: ConflictCase) -> Resolution | None:
    """The arrival for this leg was confirmed elsewhere, and the patient still waits.

    It is one place in the line, with the earlier of the two times. The second printed number becomes an alias.
    """
    entry = _entry_of_leg(case)
    if entry is None or case.evidence.journey.state not in case.rule.moves.values():
        return None
    return replace(_MERGED, place=Place.TODAY, decision=_second_label(case, entry, moves_up=True))


def _cancelled(case: ConflictCase) -> Resolution | None:
    """A booking that the person was shown was cancelled or moved to another day, or the entry was cancelled that the
    person would have joined.
    """
    entry = _entry_of_leg(case)
    if entry is not None:
        return _to_staff(Code.CANCELLED) if entry.state in case.rules.hands_over else None
    if case.evidence.journey.leg != case.intent.leg or not (case.rule.appointments or case.rule.opens_entry):
        return None
    cancelled = {case.rules.queue_to_appointment[state] for state in case.rules.hands_over}
    gone = {a.appointment_id for a in case.evidence.journey.appointments if a.status in cancelled} | case.evidence.moved
    # An arrival concerns the next booking alone; a registration confirms all of them.
    shown = case.intent.appointment_ids
    return _to_staff(Code.CANCELLED) if gone.intersection(shown[:1] if case.rule.opens_entry else shown) else None


def _already_called(case: ConflictCase) -> Resolution | None:
    """The arrival for this leg was confirmed elsewhere, and the patient has been called since."""
    entry = _entry_of_leg(case)
    if entry is None:
        return None
    labelled = _second_label(case, entry, moves_up=False)
    return Resolution(Verdict.SUPERSEDED, Code.MOVED_ON, place=Place.TODAY, decision=labelled)


def _earlier_leg(case: ConflictCase) -> Resolution | None:
    """The action is for an earlier exam of the visit. It never queues the patient again."""
    if not case.live or case.evidence.journey.leg <= case.intent.leg:
        return None
    if not case.rule.opens_entry:
        return _MERGED if case.done_before else Resolution(Verdict.SUPERSEDED, Code.EARLIER_LEG)
    entry = _of_leg(case.evidence.journey, case.leg)
    labelled = _second_label(case, entry, moves_up=False) if entry else None
    return Resolution(Verdict.SUPERSEDED, Code.EARLIER_LEG, place=Place.TODAY, decision=labelled)


def _later_leg(case: ConflictCase) -> Resolution | None:
    """The action is for an exam that the centre's journey has not reached, so no other action supersedes it."""
    ahead = case.live and case.evidence.journey.leg < case.intent.leg
    return _to_staff(Code.NOT_ALLOWED) if ahead else None


# The order decides: the first rule that answers. A number names the conflict (0: none), and says nothing of the order.
TABLE: tuple[ConflictRule, ...] = (
    ConflictRule(0, _forbidden),
    ConflictRule(15, _depends),
    ConflictRule(7, _blocked),
    ConflictRule(8, _unknown),
    ConflictRule(7, _rebound),
    ConflictRule(13, _two_visits),
    ConflictRule(19, _told),
    ConflictRule(17, _money),
    ConflictRule(18, _unproven),
    ConflictRule(14, _denied),
    ConflictRule(14, _corrected),
    ConflictRule(2, _answers_differ),
    ConflictRule(6, _late),
    ConflictRule(1, _opened_elsewhere),
    ConflictRule(0, _other_visit),
    ConflictRule(3, _cancelled),
    ConflictRule(1, _second_slip),
    ConflictRule(4, _already_called),
    ConflictRule(5, _earlier_leg),
    ConflictRule(0, _later_leg),
)


def _decided(case: ConflictCase) -> Resolution:
    """No row of the table fits: the rules decide on the patient's journey."""
    journey = case.evidence.journey
    outcome = decide(case.rules, journey, case.action)
    if isinstance(outcome, Decision):
        visit_id = outcome.journey.visit_id or journey.visit_id
        return Resolution(Verdict.APPLIED, Code.OK, place=Place.TODAY, visit_id=visit_id, decision=outcome)
    already_so = journey.state in case.rule.moves.values() and not case.rule.opens_entry
    if not case.rule.money and (already_so or case.done_before):
        return _MERGED
    if case.evidence.changed_elsewhere and not case.rule.money:
        return Resolution(Verdict.SUPERSEDED, Code.MOVED_ON)
    return _to_staff(Code.NOT_ALLOWED)


def _entry_of_leg(case: ConflictCase) -> QueueEntry | None:
    """The entry that another confirmation opened or joined for the leg that this action would begin."""
    journey = case.evidence.journey
    if not case.rule.opens_entry or journey.leg != case.leg:
        return None
    return _of_leg(journey, case.leg) or journey.current


def _of_leg(journey: Journey, leg: int) -> QueueEntry | None:
    """The entry that was opened for a leg, in the last of several visits on one day."""
    return next((entry for entry in reversed(journey.entries) if entry.leg == leg), None)


def _second_label(case: ConflictCase, entry: QueueEntry, *, moves_up: bool) -> Decision | None:
    """A decision that adds the printed number to an entry as an alias; None where that changes nothing.

    `moves_up`: the entry also gets the earlier of the two times of arrival.
    """
    label, arrived_ms = case.intent.queue_number, case.evidence.arrived_ms
    changed = entry
    if label and label not in (entry.queue_number, *entry.label_aliases):
        changed = replace(changed, label_aliases=(*entry.label_aliases, label))
    if moves_up and arrived_ms is not None:
        changed = at_earlier_arrival(case.rules, changed, case.evidence.journey, arrived_ms)
    if changed == entry:
        return None
    journey = case.evidence.journey
    entries = tuple(changed if e.queue_id == entry.queue_id else e for e in journey.entries)
    return Decision(replace(journey, entries=entries, journey_version=journey.journey_version + 1), ())


def _alias(visit_id: VisitId) -> Resolution:
    return Resolution(Verdict.MERGED, Code.VISIT_ALIAS, 1, Place.ALIAS, visit_id)


def _to_staff(code: Code) -> Resolution:
    return Resolution(Verdict.NEEDS_STAFF, code)
