"""Quarantine: an action that cannot be read or judged is stored as received, and staff get a case."""

import logging

from sync.central.conflicts.evidence import ReceivedAction
from sync.central.conflicts.waiting import hold_in_case
from sync.central.kiosks.batch import Batch
from sync.central.kiosks.intents import content_hash, read_body
from sync.central.kiosks.links import Link
from sync.central.records.cases import NewCase, open_case
from sync.central.records.idempotency import StoredAnswer, store_answer, stored_answer
from sync.central.records.patients import patient_named
from sync.central.records.quarantine import QuarantinedBody, add_quarantined_body
from sync.central.records.verdicts import VerdictRecord, add_verdict, latest_verdict
from sync.central.records.visits import visit_named
from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.ids import is_uuid
from sync.protocol import Code, Verdict

log = logging.getLogger(__name__)


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
    action where it could be read and staff may have it judged nevertheless.
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
    if action_id is not None:
        _store_answer(db, batch, action_id, link.body)
    exception_id = context.ids()
    open_case(db, exception_id, _new_case(db, batch, link, reason, received, code), context.now_ms)
    if action_id is not None and received is not None:
        visit_id = visit_named(db, received.intent.visit_id)
        hold_in_case(db, received, visit_id, Code.QUARANTINED, exception_id)
    body = link.body.decode("utf-8", "replace")
    quarantined = QuarantinedBody(record.verdict_id, exception_id, chain.kiosk_id, chain.epoch, link.seq, reason, body)
    add_quarantined_body(db, quarantined, context.now_ms)
    log.warning("action %s of %s was quarantined: %s", link.seq, chain.kiosk_id, reason)
    return record


def _is_free_id(db: ReadTransaction, action_id: str) -> bool:
    """Whether an id is a UUID that belongs to no action yet."""
    return is_uuid(action_id) and stored_answer(db, action_id) is None and latest_verdict(db, action_id) is None


def _store_answer(db: WriteTransaction, batch: Batch, action_id: str, raw: bytes) -> None:
    """Records the content under its id: the action may come again in readable form, and is the same action then."""
    body = read_body(raw)
    if body is not None and body.document is not None:
        answer = StoredAnswer(content_hash(body.document), Verdict.NEEDS_STAFF.value, None)
        store_answer(db, action_id, None, "", batch.chain.kiosk_id, answer, batch.context.now_ms)


def _new_case(
    db: ReadTransaction, batch: Batch, link: Link, reason: str, received: ReceivedAction | None, code: str
) -> NewCase:
    detail = {"epoch": batch.chain.epoch, "seq": link.seq, "hash": link.hash, "reason": reason}
    patient_id = patient_named(db, received.intent.patient_id) if received else None
    action_id = link.action_id if is_uuid(link.action_id) else None
    return NewCase(code, batch.chain.kiosk_id, detail, patient_id, action_id)
