"""Settles cases of the exception inbox: what waited is judged again, and the kiosks pull the verdicts given anew."""

import logging
import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from sync.cards import CardHash
from sync.central.gathering import Bench, Heard
from sync.central.inbox import Waiting, settle_case, take_waiting, waiting_for_card
from sync.central.judging import Judged, judge
from sync.central.kiosks import kiosk
from sync.central.store import Writing
from sync.central.verdicts import verdict_of

log = logging.getLogger(__name__)


def settle_card(db: Writing, bench: Bench, cards: Sequence[CardHash], who: str) -> list[Judged]:
    """Staff have bound a card: whatever waited because nobody knew it is judged again, in the order in which it came.

    To be called in the transaction that bound it. The actions of the same visits that waited for those go along. What
    needs staff for another reason now is a new case; what cannot be judged even now stays in the one it is in.
    """
    found = waiting_for_card(db, cards)
    judged = []
    for place, waiting in enumerate(found):
        # None of them waits for itself, nor for one that is about to be judged after it.
        remaining = frozenset(each.verdict_id for each in found[place:])
        try:
            with db.savepoint():
                judged.append(_judge_again(db, replace(bench, settling=remaining), waiting, who))
        except (sqlite3.IntegrityError, ValueError, OverflowError) as error:
            log.error("action %s cannot be settled: %s", waiting.verdict_id, type(error).__name__)  # noqa: TRY400
    return judged


def _judge_again(db: Writing, bench: Bench, waiting: Waiting, who: str) -> Judged:
    before = verdict_of(db, waiting.verdict_id)
    assert before is not None
    take_waiting(db, waiting.verdict_id)
    sender = kiosk(db, before.kiosk_id)
    heard = Heard(
        waiting.intent,
        before.kiosk_id,
        frozenset(sender.actions if sender else ()),
        waiting.sent,
        waiting.received_ms,
    )
    judged = judge(db, bench, heard, revision=before.revision + 1)
    settlement = {"verdict": judged.given.verdict, "code": judged.given.code, "revision": judged.given.revision}
    settle_case(db, waiting.exception_id, who, settlement, bench.now_ms)
    db.execute(
        "update actions set outcome = :outcome, patient_id = :patient_id where action_id = :action_id",
        {
            "outcome": judged.given.verdict.value,
            "patient_id": judged.given.patient_id,
            "action_id": waiting.verdict_id,
        },
    )
    return judged
