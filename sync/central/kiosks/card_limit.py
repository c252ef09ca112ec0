"""A kiosk names no more cards by its actions than a reader can read.

The verdict on an action with a card tells whose card it is, as a look-up does. A kiosk has the card keys. Without a
limit, a stolen one could try one card number after another.
"""

import logging
from collections.abc import Iterator, Sequence

from sync.cards import CardHash
from sync.central.kiosks.batch import Batch
from sync.central.kiosks.links import Link
from sync.central.kiosks.lookup import MINUTE_MS, MOST_A_MINUTE
from sync.central.records.bindings import has_held, read_holders_ahead
from sync.central.records.cases import MANY_CARDS, NewCase, has_open_case, open_case
from sync.central.records.named_cards import named_until, write_named_until
from sync.central.records.patients import patient_named, read_patients_ahead
from sync.central.records.verdicts import latest_verdict
from sync.central.store.set_transaction import SetTransaction
from sync.central.store.transactions import WriteTransaction
from sync.protocol import CallRefused, EndCode, Intent

log = logging.getLogger(__name__)

CARD_MS = MINUTE_MS // MOST_A_MINUTE  # the least time between two cards at a reader
SAVED_MS = 12 * 60 * MINUTE_MS  # a kiosk that was offline sends the cards of so long at once
AHEAD_MS = MINUTE_MS  # cards of so long may come at once, as look-ups may


def count_cards(
    db: WriteTransaction, together: SetTransaction, batch: Batch, fresh: Sequence[Link]
) -> CallRefused | None:
    """Counts the cards of new links that do not belong to the patients whom they name. Returns the refusal of too many.

    The batch is refused as a whole and comes again later, so no action of an honest kiosk is lost. Staff get a case.
    What is read of patients and cards is in `together` then, for the judgement.
    """
    number = len(set(_guesses(together, fresh)))
    if not number:
        return None
    sender, now_ms = batch.sender, batch.context.now_ms
    before_ms = named_until(db, sender.kiosk_id)
    began_ms = sender.enrolled_ms if before_ms is None else before_ms
    until_ms = max(began_ms, now_ms - SAVED_MS) + number * CARD_MS
    if until_ms > now_ms + AHEAD_MS:
        _inform_staff(db, batch, number)
        wait_s = min(until_ms - now_ms - AHEAD_MS, MINUTE_MS) / 1000
        return CallRefused(
            code=EndCode.TRY_LATER, error="too many cards; wait a minute", retry_after_s=max(1.0, wait_s)
        )
    write_named_until(db, sender.kiosk_id, until_ms)
    return None


def _guesses(db: SetTransaction, fresh: Sequence[Link]) -> Iterator[CardHash]:
    """The cards that are not their patients'. An action that was judged before tells nothing new."""
    read = [(link.intent, link.intent.card) for link in fresh if isinstance(link.intent, Intent) and link.intent.card]
    if not read:
        return
    read_patients_ahead(db, {intent.patient_id for intent, _ in read})
    read_holders_ahead(db, {card for _, card in read})
    for intent, card in read:
        patient = patient_named(db, intent.patient_id)
        is_own = patient is not None and has_held(db, patient, card)
        if not is_own and latest_verdict(db, intent.action_id) is None:
            yield card


def _inform_staff(db: WriteTransaction, batch: Batch, number: int) -> None:
    kiosk_id = batch.sender.kiosk_id
    if not has_open_case(db, MANY_CARDS, kiosk_id):
        open_case(db, batch.context.ids(), NewCase(MANY_CARDS, kiosk_id, {"cards": number}), batch.context.now_ms)
        log.warning("kiosk %s names more cards than a reader can read", kiosk_id)
