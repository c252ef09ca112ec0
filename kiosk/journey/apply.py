"""Applies one action at the kiosk: the rules judge it by what was read, and an accepted action is written."""

import sqlite3
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.structs import replace

from kiosk.journey import views
from kiosk.journey.outcomes import Act
from kiosk.journey.transaction_context import TransactionContext
from kiosk.store import outbox, patients, queue_numbers
from kiosk.store.patients import Patient
from sync.cards import CardHash
from sync.journey.model import (
    Action,
    ActionId,
    Decision,
    Journey,
    Opens,
    QueueEntry,
    QueueId,
    Refusal,
    RefusalCode,
    VisitId,
)
from sync.journey.rules import decide
from sync.protocol import Intent
from sync.visit_secret import hash_of_secret


class KioskAction(msgspec.Struct, frozen=True):
    """An action to decide, with the card that was tapped and the payload of the press.

    `visit_secret` is the secret that the screen shows for the visit; None where it shows none.
    """

    action_type: str
    action_id: str
    cards: tuple[CardHash, ...] = ()
    binding_id: str | None = None
    payload: dict[str, Any] = {}
    visit_secret: str | None = None


class Accepted(msgspec.Struct, frozen=True):
    """An action that the rules accept, before it is written.

    `stored` is the patient's record on the disk (None: the patient is new), and `patient` the record with today's view.
    """

    stored: Patient | None
    patient: Patient
    journey: Journey
    kiosk_action: KioskAction
    action: Action
    decision: Decision


class Written(msgspec.Struct, frozen=True):
    """The patient after an action that was written, the action as an outcome, and the head of the chain after it.

    `joined` is the entry that the action has opened, with the number of those before it in line. `visit_secret` is as
    in the KioskAction.
    """

    patient: Patient
    act: Act
    head: outbox.Head
    joined: tuple[QueueEntry, int] | None
    visit_secret: str | None = None


class Undone(Exception):
    """An accepted action cannot be written: the transaction has to be undone. `refusal` is for its sender."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


def judge(
    db: sqlite3.Connection,
    context: TransactionContext,
    new_id: Callable[[], str],
    patient: Patient,
    kiosk_action: KioskAction,
    *,
    is_new: bool = False,
) -> Accepted | Refusal:
    """Decides an action of a patient by the rules. Writes nothing. An action that another system decides changes
    nothing here.

    `new_id` makes the ids of the visit and queue entry that the action may open; the entry's number comes with its
    writing. `is_new`: the patient has no row yet.
    """
    todays = views.with_todays_view(db, context, patient)
    journey = context.journey(todays)
    action = Action(
        ActionId(kiosk_action.action_id),
        kiosk_action.action_type,
        context.actor,
        context.clock.wall_ms,
        Opens(VisitId(new_id()), QueueId(new_id()), "", context.identity.site.walk_in),
        exam_id=outbox.named_exam(kiosk_action.payload),
        payload=kiosk_action.payload,
    )
    decision = decide(context.definitions, journey, action)
    if isinstance(decision, Refusal):
        return decision
    if action.action_type in context.identity.site.decided_elsewhere:
        decision = Decision(journey, ())
    return Accepted(None if is_new else patient, todays, journey, kiosk_action, action, decision)


def write(db: sqlite3.Connection, context: TransactionContext, accepted: Accepted, head: outbox.Head) -> Written:
    """Writes an accepted action in an open transaction: the queue number, the outbox row and the patient's view.

    `head` is the end of the chain for this patient. Raises Undone where the action is too large, and
    sqlite3.IntegrityError where an action of that id was written before.
    """
    accepted = _with_number(db, context, accepted)
    decision, kiosk_action = accepted.decision, accepted.kiosk_action
    intent = _intent(context, head, accepted)
    head_after = outbox.append(db, intent, head)
    if head_after is None:
        raise Undone(Refusal(RefusalCode.TOO_LARGE, kiosk_action.action_type, accepted.journey.state))
    after = replace(accepted.patient, view=decision.journey)
    opened, joined = decision.opened, None
    if accepted.stored is None:
        patients.save(db, after, None)
    else:
        patients.save_view(db, after, accepted.stored, opened)
    if opened is not None:
        in_line = context.definitions.in_line
        joined = opened, patients.join_line(db, after.patient_id, opened, after.view.site_day, in_line)
    # The number of an entry that it opens is noted as given.
    known = {entry.queue_id for entry in accepted.journey.entries}
    changed = [e for e in decision.journey.entries if e.queue_id in known and e not in accepted.journey.entries]
    views.note_numbers(db, context, decision.journey.site_day, changed)
    return Written(after, Act.pending(intent), head_after, joined, kiosk_action.visit_secret)


def _with_number(db: sqlite3.Connection, context: TransactionContext, accepted: Accepted) -> Accepted:
    """The action with a queue number for the entry that it opens, where it opens one."""
    if accepted.decision.opened is None:
        return accepted
    number = queue_numbers.take_queue_number(
        db,
        context.identity.ticket_prefix,
        accepted.action.action_id,
        site_day=context.today,
        since_day=context.numbers_since,
        now_ms=context.at_ms,
        day_is_sure=context.clock.synchronised,
    )
    assert accepted.action.opens is not None
    action = replace(accepted.action, opens=replace(accepted.action.opens, queue_number=number))
    decision = decide(context.definitions, accepted.journey, action)
    assert isinstance(decision, Decision)
    return replace(accepted, action=action, decision=decision)


def _intent(context: TransactionContext, head: outbox.Head, accepted: Accepted) -> Intent:
    patient, journey, kiosk_action = accepted.patient, accepted.journey, accepted.kiosk_action
    decision, opens = accepted.decision, accepted.action.opens
    assert opens is not None
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
        base_version=max(patient.base_version(context.identity.generation), 0),
        definitions_version=context.definitions.version,
        site_day=context.today,
        clock=context.clock,
        journey_state=journey.state,
        binding_id=kiosk_action.binding_id,
        card=kiosk_action.cards[0] if kiosk_action.cards else None,
        appointment_ids=tuple(a.appointment_id for a in journey.appointments if a.status in open_statuses),
        visit_hash=hash_of_secret(kiosk_action.visit_secret) if kiosk_action.visit_secret else "",
        provisional=patient.provisional,
        payload=kiosk_action.payload,
    )
