"""Quarantine: an action that cannot be digested is kept as it came, and staff are told; its row is settled by that."""

import logging
import sqlite3

from sync.central.conflicts.evidence import Heard
from sync.central.conflicts.gather import Bench
from sync.central.conflicts.waiting import Concern, keep_waiting, open_case
from sync.central.kiosks.intents import content_hash, read_body
from sync.central.kiosks.links import Chain, Link
from sync.central.records.idempotency import Answered, answered, keep_answer
from sync.central.records.journeys import StaleJourney
from sync.central.records.patients import patient_named
from sync.central.records.verdicts import Given, keep_verdict, verdict_of
from sync.central.records.visits import visit_of
from sync.central.store.sqlite import Writing
from sync.ids import is_uuid
from sync.protocol import Code, Verdict

log = logging.getLogger(__name__)


def is_of_the_action(error: Exception) -> bool:
    """Whether it is the one action that the code or the tables cannot take. Where the database itself fails, or the
    journey changed underneath, nothing may be decided."""
    if isinstance(error, sqlite3.Error):
        return isinstance(error, _OF_THE_DATA)
    return not isinstance(error, StaleJourney)


def quarantine(db: Writing, bench: Bench, chain: Chain, link: Link, reason: str, heard: Heard | None = None) -> Given:
    """Sets an action aside. Where its id is none, or another action's, the verdict goes under an id of ours.

    `heard` is the action, where it can be told and only judging it went wrong: staff may have it judged again.
    """
    named = link.action_id
    own = is_uuid(named) and answered(db, named) is None and verdict_of(db, named) is None
    given = Given(
        verdict_id=named if own else bench.ids(),
        kiosk_id=chain.kiosk_id,
        seq=link.seq,
        verdict=Verdict.NEEDS_STAFF,
        code=Code.QUARANTINED,
    )
    keep_verdict(db, given, bench.now_ms)
    found = read_body(link.body)
    if own and found is not None and found.document is not None:
        # One that came unread may come again as it should have: it is the same action then.
        kept = Answered(content_hash(found.document), given.verdict.value, None)
        keep_answer(db, named, None, "", chain.kiosk_id, kept, bench.now_ms)
    exception_id = bench.ids()
    detail = {"epoch": chain.epoch, "seq": link.seq, "hash": link.hash, "reason": reason}
    action_id = named if is_uuid(named) else None
    patient_id = patient_named(db, heard.intent.patient_id) if heard else None
    concern = Concern(Code.QUARANTINED, chain.kiosk_id, detail, patient_id, action_id)
    open_case(db, exception_id, concern, bench.now_ms)
    if own and heard is not None:
        keep_waiting(db, heard, visit_of(db, heard.intent.visit_id), Code.QUARANTINED, exception_id)
    db.execute(
        "insert into quarantine values (:verdict_id, :exception_id, :kiosk_id, :epoch, :seq, :reason, :body, :now_ms)",
        {
            "verdict_id": given.verdict_id,
            "exception_id": exception_id,
            "kiosk_id": chain.kiosk_id,
            "epoch": chain.epoch,
            "seq": link.seq,
            "reason": reason,
            "body": link.body.decode("utf-8", "replace"),
            "now_ms": bench.now_ms,
        },
    )
    log.warning("action %s of %s was quarantined: %s", link.seq, chain.kiosk_id, reason)
    return given


_OF_THE_DATA = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError, sqlite3.InterfaceError)
