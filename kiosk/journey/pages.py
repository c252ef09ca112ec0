"""The centre's roster pages: the test whether a page applies to this kiosk, and the writing of one row."""

import sqlite3

from msgspec.structs import replace

from kiosk.journey import views
from kiosk.journey.transaction_context import TransactionContext
from kiosk.store import patient_aliases, patients, roster
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


def write_row(db: sqlite3.Connection, context: TransactionContext, row: PatientRow) -> None:
    """Writes one patient of the roster, with the cards and with the pending actions on top."""
    generation = context.identity.generation
    patient, known = patients.from_page(row, generation), patients.read(db, row.patient_id)
    # A verdict that came before the page may have brought a newer journey.
    if known and known.base_version(generation) > patient.base.journey_version:
        patient = replace(patient, base=known.base)
    patient = views.with_view(db, context, patient)
    patients.save(db, patient, known, generation)
    views.note_numbers(db, context, patient.view.site_day, patient.view.entries)
    patient_aliases.forget(db, row.patient_id)
    cards = [(context.keys.lift(CardHash(b.key_id, b.uid_hash)), b.binding_id) for b in row.bindings]
    patients.bind_only(db, row.patient_id, cards)


def write_leaver(db: sqlite3.Connection, context: TransactionContext, patient_id: PatientId) -> None:
    """Lets a patient leave the roster whom its snapshot has not named. Who has an action pending stays for its verdict.

    Their base is the empty journey of today then, unless a verdict has brought one since.
    """
    if roster.forget_unless_pending(db, patient_id):
        return
    known = patients.read(db, patient_id)
    assert known is not None
    if known.base_version(context.identity.generation) < 0:
        empty = Journey(patient_id, context.definitions.initial, context.today)
        patients.save(db, views.with_view(db, context, replace(known, base=empty, tomorrow=())), known)
        patients.unbind_all(db, patient_id)
    roster.mark_departed(db, patient_id)
