"""Settles cases of the exception inbox: what waited is judged again, and the kiosks pull the verdicts given anew."""

from collections.abc import Sequence

from sync.cards import CardHash
from sync.central.gathering import Bench, Heard
from sync.central.inbox import Waiting, settle_case, take_waiting, waiting_for_card
from sync.central.judging import Judged, judge
from sync.central.kiosks import kiosk
from sync.central.store import Writing
from sync.central.verdicts import verdict_of


def settle_card(db: Writing, bench: Bench, cards: Sequence[CardHash], who: str) -> list[Judged]:
    """Staff have bound a card: whatever waited because nobody knew it is judged again, in the order in which it came.

    To be called in the transaction that bound it. The actions of the same visits that waited for those go along. What
    needs staff for another reason now is a new case.
    """
    found = waiting_for_card(db, cards)
    # All of them first: none may wait for one that is about to be judged itself.
    for waiting in found:
        take_waiting(db, waiting.verdict_id)
    return [_judge_again(db, bench, waiting, who) for waiting in found]


def _judge_again(db: Writing, bench: Bench, waiting: Waiting, who: str) -> Judged:
    before = verdict_of(db, waiting.verdict_id)
    assert before is not None
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
