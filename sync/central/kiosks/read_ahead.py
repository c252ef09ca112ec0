"""Reads what the actions of a batch will ask of the database: one statement a question, instead of one an action.

The answers are the same as without it, so nothing depends on what is read ahead but the time that a batch takes.
"""

from collections.abc import Sequence

from sync.central.days.open_journey import read_journeys_ahead
from sync.central.kiosks.batch import Batch
from sync.central.kiosks.links import Link
from sync.central.records.entries import read_patients_of_entries_ahead
from sync.central.records.exams import read_exams_ahead
from sync.central.records.history import read_transitions_ahead
from sync.central.records.idempotency import read_answers_ahead
from sync.central.records.identities import read_identities, read_identities_ahead
from sync.central.records.queue_numbers import read_twins_ahead
from sync.central.records.told_seqs import read_windows_ahead
from sync.central.records.undos import read_undos_ahead
from sync.central.records.unseen_changes import read_own_changes_ahead
from sync.central.records.verdicts import read_verdicts_ahead
from sync.central.records.visits import read_visits_ahead
from sync.central.records.waiting import read_waiting_ahead
from sync.central.store.set_transaction import SetTransaction
from sync.protocol import Intent


def read_ahead(db: SetTransaction, batch: Batch, links: Sequence[Link]) -> None:
    """Reads the rows that the judgements of these links will ask for. Links without an intent ask for none."""
    read = [(link, link.intent) for link in links if isinstance(link.intent, Intent)]
    if not read:
        return
    context, intents = batch.context, [intent for _, intent in read]
    read_verdicts_ahead(db, [intent.action_id for intent in intents])
    read_answers_ahead(db, [intent.action_id for intent in intents])
    read_windows_ahead(db, batch.chain, [link.seq for link, _ in read])
    read_undos_ahead(db, batch.sender.kiosk_id)
    read_exams_ahead(db, {intent.exam_id for intent in intents})
    read_twins_ahead(db, context.definitions, context.today, {intent.queue_number for intent in intents})
    read_patients_of_entries_ahead(db, {intent.queue_id for intent in intents})
    _read_people_ahead(db, batch, intents)


def _read_people_ahead(db: SetTransaction, batch: Batch, intents: Sequence[Intent]) -> None:
    """Reads whom the intents name, and the journeys and visits of these patients."""
    context, kiosk_id = batch.context, batch.sender.kiosk_id
    named = [(i.patient_id, batch.keys.lift(i.card) if i.card else None, i.binding_id) for i in intents]
    read_identities_ahead(db, named)
    bases: dict[str, int] = {}
    for intent, ids in zip(intents, named, strict=True):
        subject = read_identities(db, *ids).subject(provisional=intent.provisional)
        base_version = intent.base_version if intent.patient_id == subject else 0
        patient_id = subject or intent.patient_id
        bases[patient_id] = min(base_version, bases.get(patient_id, base_version))
    read_own_changes_ahead(db, kiosk_id, bases)
    read_journeys_ahead(db, context.definitions, bases, context.today, context.now_ms)
    meant = read_visits_ahead(db, {intent.visit_id for intent in intents}, bases, context.today)
    read_transitions_ahead(db, meant)
    read_waiting_ahead(db, meant, kiosk_id)
