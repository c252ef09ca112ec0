"""What the centre says, brought into the kiosk's store: verdicts, whole rows, and pending actions replayed on top.

Every function takes the connection of a transaction that is under way, and the moment that it goes by.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import replace

from kiosk.journey.moment import TransactionContext
from kiosk.store import audit, outbox
from kiosk.store import outbox_bodies as records
from kiosk.store import patients as roster
from kiosk.store import queue_numbers as labels
from kiosk.store.patients import Identity, Patient
from sync.cards import CardHash
from sync.clock import DAY_MS
from sync.journey.model import Journey, PatientId
from sync.protocol import Code, PullAnswer, Verdict, VerdictRow
from sync.rebase import view

KEPT_MS = 90 * DAY_MS  # of the audit
KEPT_ROWS = 100_000  # judged actions that no backup of the centre has covered: months of a busy kiosk, and 150 MB
KEPT_LABEL_DAYS = 400


def overtaken(page: PullAnswer, identity: Identity) -> bool:
    """Whether a page is not for a kiosk that stands here: it was asked for from elsewhere, or goes on with the roster
    of another life of the centre."""
    if page.asked_cursor != identity.cursor:
        return True
    goes_on = page.from_cursor == identity.cursor and page.server_incarnation == identity.server_incarnation
    return not (page.reset or goes_on)


def has_lost(page: PullAnswer, epoch: int, answered_seq: int) -> bool:
    """Whether the centre no longer has what it had answered for, of that epoch, when it was asked: it was set back
    together with all by which it could have noticed. A chain of another epoch says nothing: a clone may have forked."""
    return page.epoch == epoch and page.last_seq is not None and page.last_seq < answered_seq


def retire(db: sqlite3.Connection, context: TransactionContext, verdicts: Iterable[VerdictRow]) -> set[PatientId]:
    """Writes verdicts into their outbox rows and what they tell into the bases. Returns whose views are to follow."""
    touched: set[PatientId] = set()
    for verdict in verdicts:
        row = outbox.retire(db, verdict, context.at_ms)
        if row is not None:
            touched |= {PatientId(row["patient_id"]), _follow(db, context, row, verdict)}
    if touched:
        roster.forget_those_gone(db)
    return touched


def take_over(db: sqlite3.Connection, context: TransactionContext, page: PullAnswer) -> set[PatientId]:
    """Writes a page's rows, each with its view, and forgets who is gone: those with something pending once that has
    its verdict. Returns whom it touched."""
    for each in page.renamed:
        outbox.rename_patient(db, each.old, each.patient_id)
        roster.rename(db, each.old, each.patient_id, context.today)
    for row in page.patients:
        fresh = roster.pulled(row)
        known = roster.patient(db, row.patient_id)
        # A verdict may have told a newer journey than a page that was on its way meanwhile.
        if known and known.base.journey_version > fresh.base.journey_version:
            fresh = replace(fresh, base=known.base)
        roster.save(db, _with_view(db, context, fresh), row.change)
        roster.forget_alias(db, row.patient_id)
        roster.unbind(db, row.patient_id)
        roster.bind(db, row.patient_id, [(CardHash(b.key_id, b.uid_hash), b.binding_id) for b in row.bindings])
    for gone in page.gone:
        roster.leave(db, gone)
    if not page.more:
        roster.forget_those_gone(db)
    renamed = [each.patient_id for each in page.renamed]
    here = [row.patient_id for row in page.patients]
    return {PatientId(patient_id) for patient_id in (*here, *page.gone, *renamed)}


def complete(db: sqlite3.Connection, context: TransactionContext, now_ms: int) -> set[PatientId]:
    """The roster is whole again. Whoever it has not named since it was started afresh has nothing here, and is
    forgotten once nothing of theirs is pending. Returns whose views are to follow: they, and whoever was seen under a
    clock that was ahead. `now_ms` is the centre's clock."""
    labels.settle(db, context.day_of(now_ms))
    left = roster.left_behind(db)
    for patient in left:
        nothing = Journey(patient.patient_id, context.definitions.initial, context.today)
        roster.save(db, replace(patient, base=nothing, tomorrow=()))
        roster.unbind(db, patient.patient_id)
    return {patient.patient_id for patient in left} | roster.ahead_of(db, context.today)


def replay(db: sqlite3.Connection, context: TransactionContext, patient_ids: Iterable[PatientId]) -> None:
    """View = base with the patient's pending actions on top."""
    for patient_id in patient_ids:
        patient = roster.patient(db, patient_id)
        if patient is not None:
            roster.save(db, _with_view(db, context, patient))


def shown(db: sqlite3.Connection, context: TransactionContext, patient: Patient) -> Patient:
    """The patient with a view that holds today. One of a day that has not come was made while the clock was ahead, and
    its visit was closed in it; and what is pending may be of a day that has come since: either is made anew."""
    return patient if patient.view.site_day == context.today else _with_view(db, context, patient)


def purge(db: sqlite3.Connection, context: TransactionContext, now_ms: int) -> None:
    """Least data at the edge: who has nothing here today or later, and nothing pending, is forgotten. `now_ms` is the
    centre's clock: ours, far ahead, would forget everybody."""
    today = context.day_of(now_ms)
    for patient in roster.of_earlier_days(db, today):
        journey = context.journey(patient, today)
        booked = journey.appointments or any(context.day_of(b.scheduled_ms) > today for b in patient.tomorrow)
        if journey.state == context.definitions.initial and not journey.entries and not booked:
            roster.forget(db, patient.patient_id)
    outbox.forget_covered(db, today, KEPT_ROWS)
    audit.forget_before(db, now_ms - KEPT_MS)
    labels.forget(db, KEPT_LABEL_DAYS)
    roster.forget_aliases(db, today)


def _follow(db: sqlite3.Connection, context: TransactionContext, row: sqlite3.Row, verdict: VerdictRow) -> PatientId:
    patient_id, was = PatientId(verdict.patient_id or row["patient_id"]), row["patient_id"]
    if patient_id != was:
        _change_patient(db, context, row, patient_id)
    if verdict.code is Code.VISIT_ALIAS and verdict.visit_id:
        outbox.follow_visit_alias(db, patient_id, row["visit_id"], verdict.visit_id)
    known, told = roster.patient(db, patient_id), verdict.journey
    # At the same version the page is the better one: it also brings bookings that moved without the journey.
    if known and told and told.patient_id == patient_id and told.journey_version > known.base.journey_version:
        roster.save(db, replace(known, base=told))
    sent = records.read(row) if verdict.verdict is Verdict.NEEDS_STAFF and verdict.code is Code.REBOUND else None
    if sent is not None:  # of what cannot be read any more, a page brings whose card it is
        roster.unbind(db, row["patient_id"], sent.cards, sent.binding_id)
    audit.note(
        db,
        context.at_ms,
        "verdict",
        f"{verdict.verdict} {verdict.code}",
        patient_id=patient_id,
        action_id=verdict.action_id,
        to_state=told.state if told else None,
    )
    return patient_id


def _change_patient(
    db: sqlite3.Connection, context: TransactionContext, row: sqlite3.Row, patient_id: PatientId
) -> None:
    sent = records.read(row)
    if sent is not None and sent.provisional:
        # A restored centre may say another patient than it did before, and then nothing is wrong with that one.
        outbox.follow_patient(db, row["patient_id"], sent.patient_id, patient_id)
        roster.rename(db, sent.patient_id, patient_id, context.today)
    else:
        # Staff said whose it really was; whom it named is still who they are. (Word of merged records comes by a page.)
        # Of one that cannot be read nobody knows whom it named.
        outbox.reassign(db, row["action_id"], patient_id)


def _with_view(db: sqlite3.Connection, context: TransactionContext, patient: Patient) -> Patient:
    identity = context.identity
    pending = outbox.pending_of(db, patient.patient_id, identity.actions, identity.site)
    base = patient.base
    if patient.provisional:
        # Nobody but this kiosk has told it, and the clock may have been ahead.
        base = replace(base, site_day=min(base.site_day, context.today))
    seen = view(context.definitions, base, pending, context.today, lambda day: context.bookings(patient, day)).journey
    return replace(patient, view=seen)
