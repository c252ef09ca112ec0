"""A patient who stands at the desk gets into a line: arrived, registered and confirmed in one transaction.

The steps are those that the kiosk would offer, decided by the same rules. A chosen exam opens an entry in its line
without a booking, unless the patient has an open booking for it today. Other bookings of the patient stay as they are.
"""

from dataclasses import dataclass

import msgspec
from msgspec.structs import replace

from sync.central.centre import Centre
from sync.central.days.open_journey import open_journey
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.exams import read_exam
from sync.central.records.history import Provenance, day_end
from sync.central.records.journeys import save
from sync.central.records.patients import patient_named
from sync.central.records.queue_numbers import next_queue_number
from sync.central.services.answers import Answer, refused
from sync.central.services.current_state import people_before
from sync.central.services.errors import NO_EXAM, UNKNOWN_PATIENT, ApiError
from sync.central.services.once import ActionContext, Subject, once
from sync.central.services.requester import Requester
from sync.central.services.requests import ActionRequest
from sync.journey.definitions import ActionRule, Definitions
from sync.journey.model import (
    PATIENT,
    Action,
    ActionId,
    Decision,
    Exam,
    Journey,
    Opens,
    PatientId,
    QueueEntry,
    QueueId,
    Refusal,
    RefusalCode,
    VisitId,
)
from sync.journey.rules import available_actions, decide

WALK_IN = "walk_in"  # the action type
_DECIDED_ELSEWHERE = ApiError("decided_elsewhere", "The hospital's other system decides the arrival of patients.")


class InLine(msgspec.Struct, frozen=True):
    """A patient who stands in a line now."""

    patient_id: str
    queue_id: str
    queue_number: str
    exam_id: str
    exam_name: str
    room: str
    people_ahead: int


@dataclass(frozen=True, slots=True)
class _Step:
    """The journey before and after one action of the way into the line."""

    before: Journey
    decision: Decision
    rule: ActionRule


def walk_in(centre: Centre, requester: Requester, patient_id: str, request: ActionRequest) -> Answer:
    """Puts a patient into the line of the exam of the payload (`exam_id`), or of the desk. Answers with an InLine."""

    def find_subject(context: ActionContext) -> Subject | Answer:
        named = patient_named(context.db, patient_id)
        return refused(UNKNOWN_PATIENT) if named is None else Subject(patient_id, named)

    def act(context: ActionContext, subject: Subject) -> InLine | Refusal | ApiError:
        assert subject.patient_id is not None
        return put_in_line(context, subject.patient_id, request.named("exam_id"))

    return once(centre, requester, request, find_subject, act)


def put_in_line(context: ActionContext, patient_id: PatientId, exam_id: str | None) -> InLine | Refusal | ApiError:
    """Does that within an action of the desk. Nothing is written where it is refused."""
    db, definitions = context.db, context.centre.definitions
    exam = read_exam(db, exam_id) if exam_id else context.site.site.walk_in
    if exam is None:
        return NO_EXAM
    journey = open_journey(db, definitions, patient_id, context.today, day_end(context.now_ms))
    assert journey is not None
    steps = _steps(context, journey, exam)
    if isinstance(steps, Refusal):
        return steps
    elsewhere = context.site.site.decided_elsewhere
    if any(step.rule.name in elsewhere for step in steps):
        return _DECIDED_ELSEWHERE
    for step in steps[:-1]:
        save(db, step.before, step.decision, _provenance(context), step.rule.name)
    entry = _save_last(context, steps[-1])
    detail = {"queue_id": entry.queue_id, "exam_id": entry.exam_id}
    action_id = context.request.action_id
    who, now_ms = context.requester.who, context.now_ms
    note(db, who, AuditKind.WALK_IN, now_ms, patient_id=patient_id, action_id=action_id, detail=detail)
    ahead = people_before(db, definitions, steps[-1].decision.journey.site_day, entry)
    return InLine(patient_id, entry.queue_id, entry.queue_number, entry.exam_id, entry.exam_name, entry.room, ahead)


def _steps(context: ActionContext, journey: Journey, exam: Exam) -> list[_Step] | Refusal:
    """The steps from where the patient stands into the line; the refusal where the rules have no way there."""
    steps: list[_Step] = []
    for _ in context.centre.definitions.actions:
        rule = _next_rule(context.centre.definitions, journey)
        if rule is None:
            break
        found = _decide(context, journey, rule, exam)
        if isinstance(found, Refusal):
            return found
        steps.append(_Step(journey, found, rule))
        journey = found.journey
        if rule.opens_entry:
            return steps
    return Refusal(RefusalCode.NOT_ALLOWED, WALK_IN, journey.state)


def _next_rule(definitions: Definitions, journey: Journey) -> ActionRule | None:
    """The next action of a patient that leads into a line, or towards it. None ends a visit or moves money."""
    rules = (definitions.actions[name] for name in available_actions(definitions, journey, PATIENT))
    return next((each for each in rules if not (each.proof or each.money or each.entry or each.visit == "close")), None)


def _decide(context: ActionContext, journey: Journey, rule: ActionRule, exam: Exam) -> Decision | Refusal:
    new_id = context.centre.ids
    opens = Opens(VisitId(new_id()), QueueId(new_id()), "", exam)
    actor = context.requester.actor
    action = Action(ActionId(context.request.action_id), rule.name, actor, context.now_ms, opens)
    if not rule.opens_entry:
        return decide(context.centre.definitions, journey, action)
    decision = decide(context.centre.definitions, _of_exam(journey, exam), action)
    return decision if isinstance(decision, Refusal) else replace(decision, journey=_whole(journey, decision.journey))


def _of_exam(journey: Journey, exam: Exam) -> Journey:
    """The journey as far as it is about one exam, so that the arrival is for that one."""
    return replace(
        journey,
        entries=tuple(each for each in journey.entries if each.exam_id == exam.exam_id),
        appointments=tuple(each for each in journey.appointments if each.exam_id == exam.exam_id),
    )


def _whole(before: Journey, part: Journey) -> Journey:
    """The journey after the arrival, with the entries and bookings of other exams too."""
    own = {each.queue_id for each in part.entries}
    booked = {each.appointment_id: each for each in part.appointments}
    entries = (*(each for each in before.entries if each.queue_id not in own), *part.entries)
    return replace(
        part,
        entries=tuple(sorted(entries, key=lambda each: (each.opened_ms, each.queue_id))),
        appointments=tuple(booked.get(each.appointment_id, each) for each in before.appointments),
    )


def _save_last(context: ActionContext, step: _Step) -> QueueEntry:
    """Writes the step that opens or joins the entry. A new entry gets its queue number. Returns the entry."""
    db, decision, opened = context.db, step.decision, step.decision.opened
    if opened is not None:
        prefix, day = context.site.ticket_prefix, decision.journey.site_day
        number = next_queue_number(db, context.centre.definitions, prefix, day, context.now_ms)
        decision = replace(decision, journey=decision.journey.with_entry(replace(opened, queue_number=number)))
    save(db, step.before, decision, _provenance(context), step.rule.name)
    current = decision.journey.current
    assert current is not None
    return current


def _provenance(context: ActionContext) -> Provenance:
    """The origin of the rows. The history holds no name: the payload of a registration has one."""
    asked, now_ms = context.requester, context.now_ms
    return Provenance(asked.channel, asked.who, now_ms, now_ms, action_id=context.request.action_id)
