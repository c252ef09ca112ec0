"""The centre's verdicts, written into the outbox rows and into the bases of their patients."""

import sqlite3
from collections.abc import Sequence
from itertools import takewhile

from kiosk.journey.transaction_context import TransactionContext
from kiosk.store import audit, outbox, outbox_bodies, patient_aliases, patients, roster
from kiosk.store.patients import Patient
from sync.journey.model import Journey, PatientId
from sync.protocol import Code, Intent, Verdict, VerdictRow

# The card is another patient's now, or was reported lost.
_CARD_LOST = frozenset({Code.REBOUND, Code.BLOCKED_CARD})


def retire(db: sqlite3.Connection, context: TransactionContext, verdicts: Sequence[VerdictRow]) -> set[PatientId]:
    """Retires the outbox rows of these verdicts, in their order. Returns the patients whose views must be replayed.

    Verdicts that change neither patients nor cards of other rows are written together. One that does is written alone,
    and so are those after it.
    """
    rows = outbox.unsettled(db, verdicts)
    together = list(takewhile(lambda each: _changes_no_other(rows.get(each.action_id), each), verdicts))
    if len({each.action_id for each in together}) < len(together):
        together = []
    changed = _retire_together(
        db, context, [(rows[each.action_id], each) for each in together if each.action_id in rows]
    )
    for verdict in verdicts[len(together) :]:
        row = outbox.unsettled(db, [verdict]).get(verdict.action_id)
        if row is not None:
            changed |= {PatientId(row["patient_id"]), _retire_alone(db, context, row, verdict)}
    if changed:
        roster.forget_departed(db)
    return changed


def _changes_no_other(row: sqlite3.Row | None, verdict: VerdictRow) -> bool:
    """Whether a verdict changes nothing but its own row and its patient's base."""
    if row is None:
        return True
    is_of_patient = verdict.patient_id in (None, row["patient_id"])
    loses_card = verdict.verdict is Verdict.NEEDS_STAFF and verdict.code in _CARD_LOST
    return is_of_patient and verdict.code is not Code.VISIT_ALIAS and not loses_card


def _retire_together(
    db: sqlite3.Connection, context: TransactionContext, judged: Sequence[tuple[sqlite3.Row, VerdictRow]]
) -> set[PatientId]:
    """Writes verdicts on different actions. Returns their patients."""
    outbox.retire(db, (verdict for _, verdict in judged), context.at_ms)
    _save_bases(db, context, [(row["patient_id"], verdict) for row, verdict in judged])
    audit.note_verdicts(db, context.at_ms, ((row["patient_id"], verdict) for row, verdict in judged))
    return {PatientId(row["patient_id"]) for row, _ in judged}


def _retire_alone(
    db: sqlite3.Connection, context: TransactionContext, row: sqlite3.Row, verdict: VerdictRow
) -> PatientId:
    """Writes a verdict with all that it changes. Returns the patient of the action."""
    outbox.retire(db, [verdict], context.at_ms)
    patient_id = PatientId(verdict.patient_id or row["patient_id"])
    sent = outbox_bodies.read(row)
    if patient_id != row["patient_id"]:
        _move_action(db, context, row, sent, patient_id)
    if verdict.code is Code.VISIT_ALIAS and verdict.visit_id:
        outbox.move_to_visit(db, patient_id, row["visit_id"], verdict.visit_id)
    _save_bases(db, context, [(patient_id, verdict)])
    # Where the body cannot be read, the next page binds the card.
    if verdict.verdict is Verdict.NEEDS_STAFF and verdict.code in _CARD_LOST and sent is not None:
        _unbind(db, context, row["patient_id"], sent)
    audit.note_verdicts(db, context.at_ms, [(patient_id, verdict)])
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


def _save_bases(db: sqlite3.Connection, context: TransactionContext, judged: Sequence[tuple[str, VerdictRow]]) -> None:
    """Replaces the bases of patients by the newest journeys of their verdicts, where these are newer.

    At the same version the page counts: it also brings bookings that moved without the journey.
    """
    newest: dict[str, Journey] = {}
    for patient_id, verdict in judged:
        journey = verdict.journey
        if journey is not None and journey.patient_id == patient_id:
            known = newest.get(patient_id, journey)
            newest[patient_id] = max(known, journey, key=lambda each: each.journey_version)
    generation = context.identity.generation
    newer = [each for each in newest.values() if _is_newer(patients.read(db, each.patient_id), each, generation)]
    patients.save_bases(db, newer, generation)


def _is_newer(known: Patient | None, journey: Journey, generation: int) -> bool:
    return known is not None and journey.journey_version > known.base_version(generation)


def _unbind(db: sqlite3.Connection, context: TransactionContext, patient_id: str, sent: Intent) -> None:
    if sent.card is None:
        patients.unbind_all(db, patient_id)
        return
    # The card may be stored under a newer key than the one under which it was read.
    for card in context.keys.layers_of(sent.card):
        patients.unbind(db, patient_id, card, sent.binding_id)
