"""What becomes of an action that staff must see: it waits in a case of the exception inbox, or a case reports it."""

from typing import Any

from msgspec.structs import replace

from sync.central.conflicts.evidence import Evidence, ReceivedAction
from sync.central.records.cases import NewCase, open_case
from sync.central.records.waiting import WaitingAction, add_waiting, case_of_visits
from sync.central.store.transactions import WriteTransaction
from sync.protocol import Code


def hold_for_staff(
    db: WriteTransaction, received: ReceivedAction, evidence: Evidence, code: Code, conflict: int, exception_id: str
) -> None:
    """Stores an action that waits for staff, in a new case of the given id.

    An action that depends on a waiting action joins the case of that action instead.
    """
    intent = received.intent
    visit_id = evidence.visit.visit_id if evidence.visit else intent.visit_id
    joined = case_of_visits(db, {intent.visit_id, visit_id}, received.kiosk_id) if code is Code.DEPENDS else None
    if joined is None:
        open_case(db, exception_id, _case_about(received, evidence, code, conflict), received.received_ms)
    hold_in_case(db, received, visit_id, code, joined or exception_id)


def hold_in_case(db: WriteTransaction, received: ReceivedAction, visit_id: str, code: Code, exception_id: str) -> None:
    """Stores a complete action in a case. `visit_id` is the visit of the action, aliases resolved."""
    db.announce_case(exception_id)
    intent = received.intent
    waiting = WaitingAction(
        verdict_id=intent.action_id,
        exception_id=exception_id,
        kiosk_id=received.kiosk_id,
        seq=intent.seq,
        visit_id=visit_id,
        code=code,
        intent=intent,
        sent=received.sent,
        received_ms=received.received_ms,
        window=received.window,
    )
    add_waiting(db, waiting)


def report_to_staff(
    db: WriteTransaction, received: ReceivedAction, evidence: Evidence, code: str, conflict: int, exception_id: str
) -> None:
    """Opens a case about an action that does not wait: its verdict stands, and staff are informed."""
    new = _case_about(received, evidence, code, conflict)
    if code == Code.ANSWERS_DIFFER:
        answers = {"said": received.intent.payload, "said_before": dict(evidence.recorded_payload)}
        new = replace(new, detail={**new.detail, **answers})
    open_case(db, exception_id, new, received.received_ms)


def _case_about(received: ReceivedAction, evidence: Evidence, code: str, conflict: int) -> NewCase:
    intent = received.intent
    return NewCase(
        code=code,
        kiosk_id=received.kiosk_id,
        detail=_detail(received, evidence, conflict),
        patient_id=evidence.subject or intent.patient_id,
        action_id=intent.action_id,
        visit_id=evidence.visit.visit_id if evidence.visit else intent.visit_id,
    )


def _detail(received: ReceivedAction, evidence: Evidence, conflict: int) -> dict[str, Any]:
    """The details for staff besides the ids: what the kiosk showed, and what the centre knew."""
    intent, journey, happened = received.intent, evidence.journey, received.happened
    return {
        "action_type": intent.action_type,
        "happened_ms": happened.at_ms,
        "time_quality": happened.quality,
        "conflict": conflict,
        "shown": {
            "journey_state": intent.journey_state,
            "leg": intent.leg,
            "site_day": intent.site_day,
            "queue_number": intent.queue_number,
            "exam_id": intent.exam_id,
            "appointment_ids": intent.appointment_ids,
            "base_version": intent.base_version,
            "patient_id": intent.patient_id,
            "visit_id": intent.visit_id,
        },
        "known": {
            "patient_id": evidence.subject,
            "journey_state": journey.state,
            "leg": journey.leg,
            "visit_id": journey.visit_id,
            "journey_version": journey.journey_version,
        },
    }
