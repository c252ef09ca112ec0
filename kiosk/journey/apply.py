"""Applies one action at the kiosk: the rules decide it, and an accepted action is written."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from kiosk.journey import views
from kiosk.journey.transaction_context import TransactionContext
from kiosk.store import audit, outbox, queue_numbers
from kiosk.store.patients import Patient
from sync.cards import CardHash
from sync.journey.model import Action, ActionId, Decision, Journey, Opens, QueueId, Refusal, RefusalCode, VisitId
from sync.journey.rules import decide
from sync.protocol import Intent


@dataclass(frozen=True, slots=True)
class KioskAction:
    """An action to decide, with the card that was tapped and the payload of the press."""

    action_type: str
    action_id: str
    cards: tuple[CardHash, ...] = ()
    binding_id: str | None = None
    payload: dict[str, Any] = field(default_factory=dict)


def apply(
    db: sqlite3.Connection,
    context: TransactionContext,
    new_id: Callable[[], str],
    patient: Patient,
    kiosk_action: KioskAction,
) -> tuple[Patient, Decision | Refusal]:
    """Decides an action. An accepted one writes the patient's view, the outbox row, the queue number and the audit row.

    `new_id` makes the ids of the visit and queue entry that the action opens. Returns the patient after the action. A
    refusal writes nothing.
    """
    patient = views.with_todays_view(db, context, patient)
    journey = context.journey(patient)
    opens = _opens(db, context, new_id, kiosk_action.action_type)
    action = Action(
        ActionId(kiosk_action.action_id),
        kiosk_action.action_type,
        context.actor,
        context.clock.wall_ms,
        opens,
        exam_id=outbox.named_exam(kiosk_action.payload),
        payload=kiosk_action.payload,
    )
    decision = decide(context.definitions, journey, action)
    if isinstance(decision, Refusal):
        return patient, decision
    head = outbox.head(db)
    intent = _intent(context, head, patient, journey, kiosk_action, opens, decision)
    if not outbox.append(db, intent, head.last_hash):
        return patient, Refusal(RefusalCode.TOO_LARGE, kiosk_action.action_type, journey.state)
    after = replace(patient, view=decision.journey)
    views.save(db, context, after)
    if decision.opened:
        queue_numbers.use_queue_number(
            db,
            opens.queue_number,
            kiosk_action.action_id,
            context.today,
            context.at_ms,
            day_is_sure=context.clock.synchronised,
        )
    audit.note(
        db,
        context.at_ms,
        "applied",
        kiosk_action.action_type,
        patient_id=patient.patient_id,
        action_id=kiosk_action.action_id,
        from_state=journey.state,
        to_state=decision.journey.state,
    )
    return after, decision


def _opens(db: sqlite3.Connection, context: TransactionContext, new_id: Callable[[], str], action_type: str) -> Opens:
    """The ids and the queue number of the visit and entry that the action may open."""
    rule = context.definitions.actions.get(action_type)
    opens_entry = rule is not None and rule.opens_entry
    prefix, since_day = context.identity.ticket_prefix, context.numbers_since
    queue_number = queue_numbers.peek_queue_number(db, prefix, since_day, context.at_ms) if opens_entry else ""
    return Opens(VisitId(new_id()), QueueId(new_id()), queue_number, context.identity.site.walk_in)


def _intent(
    context: TransactionContext,
    head: outbox.Head,
    patient: Patient,
    journey: Journey,
    kiosk_action: KioskAction,
    opens: Opens,
    decision: Decision,
) -> Intent:
    open_statuses = context.definitions.open_appointments
    return Intent(
        site_id=context.identity.site_id,
        kiosk_id=context.identity.kiosk_id,
        epoch=head.epoch,
        seq=head.next_seq,
        action_id=kiosk_action.action_id,
        action_type=kiosk_action.action_type,
        patient_id=patient.patient_id,
        visit_id=decision.journey.visit_id or journey.visit_id or opens.visit_id,
        leg=journey.leg,
        queue_id=opens.queue_id,
        queue_number=opens.queue_number if decision.opened else "",
        exam_id=decision.opened.exam_id if decision.opened else "",
        base_version=max(patient.base.journey_version, 0),
        definitions_version=context.definitions.version,
        site_day=context.today,
        clock=context.clock,
        journey_state=journey.state,
        binding_id=kiosk_action.binding_id,
        card=kiosk_action.cards[0] if kiosk_action.cards else None,
        appointment_ids=tuple(a.appointment_id for a in journey.appointments if a.status in open_statuses),
        provisional=patient.provisional,
        payload=kiosk_action.payload,
    )
