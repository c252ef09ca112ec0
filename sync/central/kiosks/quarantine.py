"""Quarantine: an action that cannot be digested is kept as it came, and staff are told; its row is settled by that."""

import logging
import sqlite3

from sync.central.conflicts.evidence import ReceivedAction
from sync.central.conflicts.gather import JudgingContext
from sync.central.conflicts.waiting import NewCase, keep_waiting, open_case
from sync.central.kiosks.intents import content_hash, read_body
from sync.central.kiosks.links import Chain, Link
from sync.central.records.idempotency import StoredAnswer, store_answer, stored_answer
from sync.central.records.journeys import StaleJourney
from sync.central.records.patients import patient_named
from sync.central.records.verdicts import VerdictRecord, add_verdict, latest_verdict
from sync.central.records.visits import visit_of
from sync.central.store.sqlite import WriteTransaction
from sync.ids import is_uuid
from sync.protocol import Code, Verdict

log = logging.getLogger(__name__)


def is_of_the_action(error: Exception) -> bool:
    """Whether it is the one action that the code or the tables cannot take. Where the database itself fails, or the
    journey changed underneath, nothing may be decided."""
    if isinstance(error, sqlite3.Error):
        return isinstance(error, _OF_THE_DATA)
    return not isinstance(error, StaleJourney)


def quarantine(
    db: WriteTransaction,
    context: JudgingContext,
    chain: Chain,
    link: Link,
    reason: str,
    received: ReceivedAction | None = None,
) -> VerdictRecord:
    """Sets an action aside. Where its id is none, or another action's, the verdict goes under an id of ours.

    `heard` is the action, where it can be told and only judging it went wrong: staff may have it judged again.
    """
    named = link.action_id
    own = is_uuid(named) and stored_answer(db, named) is None and latest_verdict(db, named) is None
    record = VerdictRecord(
        verdict_id=named if own else context.ids(),
        kiosk_id=chain.kiosk_id,
        seq=link.seq,
        verdict=Verdict.NEEDS_STAFF,
        code=Code.QUARANTINED,
    )
    add_verdict(db, record, context.now_ms)
    found = read_body(link.body)
    if own and found is not None and found.document is not None:
        # One that came unread may come again as it should have: it is the same action then.
        kept = StoredAnswer(content_hash(found.document), record.verdict.value, None)
        store_answer(db, named, None, "", chain.kiosk_id, kept, context.now_ms)
    exception_id = context.ids()
    detail = {"epoch": chain.epoch, "seq": link.seq, "hash": link.hash, "reason": reason}
    action_id = named if is_uuid(named) else None
    patient_id = patient_named(db, received.intent.patient_id) if received else None
    concern = NewCase(Code.QUARANTINED, chain.kiosk_id, detail, patient_id, action_id)
    open_case(db, exception_id, concern, context.now_ms)
    if own and received is not None:
        keep_waiting(db, received, visit_of(db, received.intent.visit_id), Code.QUARANTINED, exception_id)
    db.execute(
        "insert into quarantine values (:verdict_id, :exception_id, :kiosk_id, :epoch, :seq, :reason, :body, :now_ms)",
        {
            "verdict_id": record.verdict_id,
            "exception_id": exception_id,
            "kiosk_id": chain.kiosk_id,
            "epoch": chain.epoch,
            "seq": link.seq,
            "reason": reason,
            "body": link.body.decode("utf-8", "replace"),
            "now_ms": context.now_ms,
        },
    )
    log.warning("action %s of %s was quarantined: %s", link.seq, chain.kiosk_id, reason)
    return record


_OF_THE_DATA = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError, sqlite3.InterfaceError)
