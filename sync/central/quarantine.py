"""Quarantine: an action that cannot be digested is kept as it came, and staff are told; its row is settled by that."""

import logging
from typing import Any

import msgspec

from sync.central.actions import Answered, answered, keep_answer
from sync.central.chains import Chain, Link
from sync.central.gathering import Bench
from sync.central.inbox import Concern, open_case
from sync.central.intents import content_hash
from sync.central.store import Writing
from sync.central.verdicts import Given, keep_verdict, verdict_of
from sync.ids import is_uuid
from sync.protocol import Code, Verdict

log = logging.getLogger(__name__)


def quarantine(db: Writing, bench: Bench, chain: Chain, link: Link, reason: str) -> Given:
    """Sets an action aside. Where its id is none, or another action's, the verdict goes under an id of ours."""
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
    document = link.document if link.document is not None else _readable(link.body)
    if own and document is not None:
        # One that came unread may come again as it should have: it is the same action then.
        kept = Answered(content_hash(document), given.verdict.value, None)
        keep_answer(db, named, None, "", chain.kiosk_id, kept, bench.now_ms)
    exception_id = bench.ids()
    detail = {"epoch": chain.epoch, "seq": link.seq, "hash": link.hash, "reason": reason}
    action_id = named if is_uuid(named) else None
    open_case(db, exception_id, Concern(Code.QUARANTINED, chain.kiosk_id, detail, action_id=action_id), bench.now_ms)
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


def _readable(body: bytes) -> dict[str, Any] | None:
    try:
        found = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
