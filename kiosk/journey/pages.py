"""The centre's roster pages: the test whether a page applies to this kiosk, and the writing of a page."""

import sqlite3
from dataclasses import replace

from kiosk.journey import verdicts, views
from kiosk.journey.transaction_context import TransactionContext
from kiosk.store import blocked_cards, outbox, patient_aliases, patients, queue_numbers, roster
from kiosk.store.identity import Identity
from sync.cards import CardHash
from sync.journey.model import Journey, PatientId
from sync.protocol import PatientRow, PullAnswer


def is_overtaken(page: PullAnswer, identity: Identity) -> bool:
    """Whether a page is another site's, was asked for from another cursor, or continues the roster of another
    incarnation."""
    if page.site_id != identity.site_id:
        return True
    if identity.ended_ms is not None:
        return True  # it was under way when the kiosk ended, and must not bring the patients back
    if page.asked_cursor != identity.cursor:
        return True
    continues = page.from_cursor == identity.cursor and page.server_incarnation == identity.server_incarnation
    return not (page.reset or continues)


def shows_loss(page: PullAnswer, identity: Identity, epoch: int | None, answered_seq: int) -> bool:
    """Whether the centre lost actions that it had given verdicts on, as after a restore that it did not detect.

    The page was asked for in `epoch`, when the centre had answered for the actions up to `answered_seq`. The chain of
    another epoch proves nothing, since a clone may have forked it.
    """
    same_chain = epoch == identity.epoch == page.epoch and page.server_incarnation == identity.server_incarnation
    return same_chain and page.last_seq is not None and page.last_seq < answered_seq


def write(
    db: sqlite3.Connection, context: TransactionContext, page: PullAnswer, *, all_pending: bool
) -> set[PatientId]:
    """Writes the verdicts and rows of a page and replays the views. Returns the patients that it changes.

    `all_pending`: the rules or the day have changed, so the view of every patient with a pending action is replayed.
    """
    stale = verdicts.retire(db, context, page.verdicts)
    if all_pending:
        stale |= outbox.pending_patients(db)
    pulled = {PatientId(row.patient_id) for row in page.patients}
    renamed = _write_renamed(db, context, page)
    for row in page.patients:
        write_row(db, context, row)
    for patient_id in page.gone:
        roster.mark_departed(db, patient_id)
    blocked_cards.unblock(db, page.unblocked)
    blocked_cards.block(db, page.blocked)
    cut_off = patients.ids_holding(db, page.blocked)
    if not page.more:
        roster.forget_departed(db)
        stale |= _complete(db, context, page.now_ms)
    # The rows of the page have their views already, which include all actions that the verdicts moved to them.
    views.replay(db, context, stale - pulled | renamed)
    return stale | pulled | renamed | cut_off | {PatientId(patient_id) for patient_id in page.gone}


def write_row(db: sqlite3.Connection, context: TransactionContext, row: PatientRow) -> None:
    """Writes one patient of the roster, with the cards and with the pending actions on top."""
    patient, known = patients.from_page(row), patients.read(db, row.patient_id)
    # A verdict that came before the page may have brought a newer journey.
    if known and known.base.journey_version > patient.base.journey_version:
        patient = replace(patient, base=known.base)
    views.save(db, context, views.with_view(db, context, patient), row.change)
    patient_aliases.forget(db, row.patient_id)
    patients.unbind_all(db, row.patient_id)
    patients.bind(db, row.patient_id, [(CardHash(b.key_id, b.uid_hash), b.binding_id) for b in row.bindings])


def _write_renamed(db: sqlite3.Connection, context: TransactionContext, page: PullAnswer) -> set[PatientId]:
    for renamed in page.renamed:
        outbox.move_all(db, renamed.old, renamed.patient_id)
        patient_aliases.rename(db, renamed.old, renamed.patient_id, context.today)
    return {PatientId(renamed.patient_id) for renamed in page.renamed}


def _complete(db: sqlite3.Connection, context: TransactionContext, now_ms: int) -> set[PatientId]:
    """Finishes with the last page, which makes the roster complete. `now_ms` is the centre's clock (UTC ms).

    Patients that the snapshot has not named leave the roster. Returns the patients whose views must be replayed: those
    patients, and the patients last viewed while the clock was ahead.
    """
    queue_numbers.correct_day(db, context.day_of(now_ms), now_ms)
    blocked_cards.end_snapshot(db)
    unnamed = roster.end_snapshot(db)
    for patient in unnamed:
        empty = Journey(patient.patient_id, context.definitions.initial, context.today)
        patients.save(db, replace(patient, base=empty, tomorrow=()))
        patients.unbind_all(db, patient.patient_id)
    return {patient.patient_id for patient in unnamed} | patients.ids_viewed_after(db, context.today)
