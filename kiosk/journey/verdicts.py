"""The centre's verdicts, written into the outbox rows and into the bases of their patients."""

import sqlite3
from collections.abc import Iterable
from dataclasses import replace

from kiosk.journey.transaction_context import TransactionContext
from kiosk.store import audit, outbox, outbox_bodies, patient_aliases, patients, roster
from sync.journey.model import PatientId
from sync.protocol import Code, Intent, Verdict, VerdictRow

# The card is another patient's now, or was reported lost.
_CARD_LOST = frozenset({Code.REBOUND, Code.BLOCKED_CARD})


def retire(db: sqlite3.Connection, context: TransactionContext, verdicts: Iterable[VerdictRow]) -> set[PatientId]:
    """Retires the outbox rows of these verdicts. Returns the patients whose views must be replayed."""
    changed: set[PatientId] = set()
    for verdict in verdicts:
        row = outbox.retire(db, verdict, context.at_ms)
        if row is not None:
            changed |= {PatientId(row["patient_id"]), _apply(db, context, row, verdict)}
    if changed:
        roster.forget_departed(db)
    return changed


def _apply(db: sqlite3.Connection, context: TransactionContext, row: sqlite3.Row, verdict: VerdictRow) -> PatientId:
    """Writes a verdict's changes of the patient. Returns the patient of the action."""
    patient_id = PatientId(verdict.patient_id or row["patient_id"])
    sent = outbox_bodies.read(row)
    if patient_id != row["patient_id"]:
        _move_action(db, context, row, sent, patient_id)
    if verdict.code is Code.VISIT_ALIAS and verdict.visit_id:
        outbox.move_to_visit(db, patient_id, row["visit_id"], verdict.visit_id)
    _save_base(db, patient_id, verdict)
    # Where the body cannot be read, the next page binds the card.
    if verdict.verdict is Verdict.NEEDS_STAFF and verdict.code in _CARD_LOST and sent is not None:
        _unbind(db, row["patient_id"], sent)
    audit.note(
        db,
        context.at_ms,
        "verdict",
        f"{verdict.verdict} {verdict.code}",
        patient_id=patient_id,
        action_id=verdict.action_id,
        to_state=verdict.journey.state if verdict.journey else None,
    )
    return patient_id


def _move_action(
    db: sqlite3.Connection, context: TransactionContext, row: sqlite3.Row, sent: Intent | None, patient_id: PatientId
) -> None:
    if sent is not None and sent.provisional:
        # The provisional patient is a real one now. A restored centre may name another real patient than before.
        outbox.move_by_sent_patient(db, row["patient_id"], sent.patient_id, patient_id)
        patient_aliases.rename(db, sent.patient_id, patient_id, context.today)
    else:
        # Staff named the patient of the action; the patient in its body stays. (A page brings merged records.) A body
        # that cannot be read names no known patient, so the same holds for it.
        outbox.move_action(db, row["action_id"], patient_id)


def _save_base(db: sqlite3.Connection, patient_id: PatientId, verdict: VerdictRow) -> None:
    known, journey = patients.read(db, patient_id), verdict.journey
    # At the same version the page counts: it also brings bookings that moved without the journey.
    if known and journey and journey.patient_id == patient_id and journey.journey_version > known.base.journey_version:
        patients.save(db, replace(known, base=journey))


def _unbind(db: sqlite3.Connection, patient_id: str, sent: Intent) -> None:
    if sent.card is not None:
        patients.unbind(db, patient_id, sent.card, sent.binding_id)
    else:
        patients.unbind_all(db, patient_id)
