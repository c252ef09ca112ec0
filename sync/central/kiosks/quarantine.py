"""Quarantine: an action that cannot be read or judged is stored as received, and staff get a case."""

import logging

from sync.central.conflicts.evidence import ReceivedAction
from sync.central.conflicts.waiting import hold_in_case
from sync.central.kiosks.batch import Batch
from sync.central.kiosks.intents import hash_of_raw
from sync.central.kiosks.links import Link
from sync.central.records.cases import NewCase, open_case, open_or_repeat
from sync.central.records.idempotency import StoredAnswer, store_answer, stored_answer
from sync.central.records.patients import patient_named
from sync.central.records.quarantine import QuarantinedBody, add_quarantined_body
from sync.central.records.verdicts import VerdictRecord, add_verdict
from sync.central.records.visits import read_visit
from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.ids import is_uuid
from sync.protocol import Code, Verdict

log = logging.getLogger(__name__)

_SIGN_OF_NUL = "\N{SYMBOL FOR NULL}"  # PostgreSQL's texts cannot hold U+0000
MOST_IN_A_CASE = 500  # bodies: staff discard a case in one transaction


def quarantine(
    db: WriteTransaction,
    batch: Batch,
    link: Link,
    reason: str,
    received: ReceivedAction | None = None,
    code: str = Code.QUARANTINED,
) -> VerdictRecord:
    """Puts an action into quarantine. The reason quotes no part of the action. `code` is that of the case.

    The verdict gets an id of the centre's where the action's own id is no UUID or another action's. `received` is the
    action where it could be read and staff may have it judged nevertheless. Otherwise the case takes all such bodies of
    the kiosk with the same reason.
    """
    context, chain = batch.context, batch.chain
    action_id = link.action_id if _is_free_id(db, link.action_id) else None
    record = VerdictRecord(
        verdict_id=action_id or context.ids(),
        kiosk_id=chain.kiosk_id,
        seq=link.seq,
        verdict=Verdict.NEEDS_STAFF,
        code=Code.QUARANTINED,
    )
    add_verdict(db, record, context.now_ms)
    _store_answer(db, batch, record.verdict_id, link.body)
    exception_id = _open_case(db, batch, _new_case(db, batch, link, reason, received, code))
    if action_id is not None and received is not None:
        visit = read_visit(db, received.intent.visit_id)
        visit_id = visit.visit_id if visit is not None else received.intent.visit_id
        hold_in_case(db, received, visit_id, Code.QUARANTINED, exception_id)
    shown = link.body.decode(errors="replace").replace("\0", _SIGN_OF_NUL)
    body = batch.keys.lift_in(shown)
    known_id = link.action_id if is_uuid(link.action_id) else None
    quarantined = QuarantinedBody(
        record.verdict_id, exception_id, chain.kiosk_id, chain.epoch, link.seq, reason, body, known_id
    )
    add_quarantined_body(db, quarantined, context.now_ms)
    log.warning("action %s of %s was quarantined: %s", link.seq, chain.kiosk_id, reason)
    return record


def _open_case(db: WriteTransaction, batch: Batch, new: NewCase) -> str:
    exception_id, now_ms = batch.context.ids(), batch.context.now_ms
    if new.matter is not None:
        return open_or_repeat(db, exception_id, new, now_ms, MOST_IN_A_CASE)
    open_case(db, exception_id, new, now_ms)
    return exception_id


def _is_free_id(db: ReadTransaction, action_id: str) -> bool:
    """Whether an id is a UUID that belongs to no action yet."""
    return is_uuid(action_id) and stored_answer(db, action_id) is None


def _store_answer(db: WriteTransaction, batch: Batch, verdict_id: str, raw: bytes) -> None:
    """Records the content under the id of its verdict, so that no action gets the id, be it one of the centre's.

    Under the action's own id, the same JSON is the same action again.
    """
    answer = StoredAnswer(hash_of_raw(raw), Verdict.NEEDS_STAFF.value, None)
    store_answer(db, verdict_id, None, "", batch.chain.kiosk_id, answer, batch.context.now_ms)


def _new_case(
    db: ReadTransaction, batch: Batch, link: Link, reason: str, received: ReceivedAction | None, code: str
) -> NewCase:
    detail = {"epoch": batch.chain.epoch, "seq": link.seq, "hash": link.hash, "reason": reason}
    patient_id = patient_named(db, received.intent.patient_id) if received else None
    action_id = link.action_id if is_uuid(link.action_id) else None
    matter = reason if received is None else None
    return NewCase(code, batch.chain.kiosk_id, detail, patient_id, action_id, matter=matter)
