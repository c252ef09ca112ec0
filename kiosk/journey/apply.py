"""One action applied at the kiosk: the rules asked, and what an accepted action writes."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from kiosk.journey import adopt as adoption
from kiosk.journey.moment import TransactionContext
from kiosk.store import audit, outbox
from kiosk.store import patients as roster
from kiosk.store import queue_numbers as labels
from kiosk.store.patients import Patient
from sync.cards import CardHash
from sync.journey.model import Action, ActionId, Decision, Journey, Opens, QueueId, Refusal, RefusalCode, VisitId
from sync.journey.rules import decide
from sync.protocol import Intent


@dataclass(frozen=True, slots=True)
class KioskAction:
    """One action about to be decided: by which card, and what the request said."""

    action_type: str
    action_id: str
    cards: tuple[CardHash, ...] = ()
    binding_id: str | None = None
    payload: dict[str, Any] = field(default_factory=dict)


def apply(
    db: sqlite3.Connection, now: TransactionContext, ids: Callable[[], str], patient: Patient, request: KioskAction
) -> tuple[Patient, Decision | Refusal]:
    """decide(), and everything that an accepted action writes: the patient's view, the outbox row, the label that was
    given, the audit row. Returns the patient after it. `ids` makes the ids of what the action opens."""
    patient = adoption.shown(db, now, patient)
    journey = now.journey(patient)
    opens = _opens(db, now, ids, request.action_type)
    action = Action(
        ActionId(request.action_id),
        request.action_type,
        now.actor,
        now.clock.wall_ms,
        opens,
        exam_id=outbox.named_exam(request.payload),
    )
    outcome = decide(now.definitions, journey, action)
    if isinstance(outcome, Refusal):
        return patient, outcome
    head = outbox.head(db)
    if not outbox.append(db, _intent(now, head, patient, journey, request, opens, outcome), head.last_hash):
        return patient, Refusal(RefusalCode.TOO_LARGE, request.action_type, journey.state)
    after = replace(patient, view=outcome.journey)
    roster.save(db, after)
    if outcome.opened:
        labels.use(db, now.today, now.numbers_since, sure=now.clock.synchronised)
    audit.note(
        db,
        now.at_ms,
        "applied",
        request.action_type,
        patient_id=patient.patient_id,
        action_id=request.action_id,
        from_state=journey.state,
        to_state=outcome.journey.state,
    )
    return after, outcome


def _opens(db: sqlite3.Connection, now: TransactionContext, ids: Callable[[], str], action_type: str) -> Opens:
    rule = now.definitions.actions.get(action_type)
    numbered = rule is not None and rule.opens_entry
    label = labels.upcoming(db, now.identity.ticket_prefix, now.numbers_since) if numbered else ""
    return Opens(VisitId(ids()), QueueId(ids()), label, now.identity.site.walk_in)


def _intent(
    now: TransactionContext,
    head: outbox.Head,
    patient: Patient,
    journey: Journey,
    request: KioskAction,
    opens: Opens,
    outcome: Decision,
) -> Intent:
    open_ones = now.definitions.open_appointments
    return Intent(
        kiosk_id=now.identity.kiosk_id,
        epoch=head.epoch,
        seq=head.next_seq,
        action_id=request.action_id,
        action_type=request.action_type,
        patient_id=patient.patient_id,
        visit_id=outcome.journey.visit_id or journey.visit_id or opens.visit_id,
        leg=journey.leg,
        queue_id=opens.queue_id,
        queue_number=opens.queue_number if outcome.opened else "",
        base_version=max(patient.base.journey_version, 0),
        definitions_version=now.definitions.version,
        site_day=now.today,
        clock=now.clock,
        journey_state=journey.state,
        binding_id=request.binding_id,
        cards=request.cards,
        appointment_ids=tuple(a.appointment_id for a in journey.appointments if a.status in open_ones),
        provisional=patient.provisional,
        payload=request.payload,
    )
