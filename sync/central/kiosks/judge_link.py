"""The verdict for one link of a batch. Every link leaves a receipt, and gets a verdict or goes into quarantine."""

import logging

import msgspec

from sync.central.conflicts.evidence import ReceivedAction
from sync.central.conflicts.judge import judge
from sync.central.kiosks.batch import Batch
from sync.central.kiosks.claims import refused_claim, refused_time
from sync.central.kiosks.intents import UnreadableIntent, content_hash
from sync.central.kiosks.links import Link
from sync.central.kiosks.quarantine import quarantine
from sync.central.records.chains import Receipt, put_receipt, read_receipt
from sync.central.records.idempotency import StoredAnswer, store_answer, stored_answer
from sync.central.records.told_seqs import read_window
from sync.central.records.verdicts import VerdictRecord, current_verdict_row, latest_verdict, verdict_row
from sync.central.records.waiting import note_sent_again
from sync.central.store.errors import is_of_the_action
from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.logs import INTERNAL
from sync.protocol import Code, Intent, Verdict, VerdictRow

log = logging.getLogger(__name__)

_REVISIONS = range(2**31)  # of a prior verdict that a kiosk may name


def judge_link(db: WriteTransaction, batch: Batch, link: Link) -> VerdictRow:
    """The verdict for a new link, in a savepoint of its own.

    An action that raises an internal error goes into quarantine, so that it does not block the others.
    An error of the database itself is raised.
    """
    try:
        with db.savepoint():
            return judge_within(db, batch, link)
    except Exception as error:
        if not is_of_the_action(error):
            raise
        # The error's message may quote the action; the error's type does not.
        log.error("action %s of %s failed: %s", link.seq, batch.sender.kiosk_id, type(error).__name__)  # noqa: TRY400
        with db.savepoint():
            return _quarantine(db, batch, link, INTERNAL, _received(db, batch, link, _read(batch, link)))


def repeat_verdict(db: ReadTransaction, batch: Batch, link: Link, verdict_id: str) -> VerdictRow:
    """The verdict of a link that was judged before, with the patient's journey as it is now."""
    record = latest_verdict(db, verdict_id)
    assert record is not None
    context = batch.context
    return current_verdict_row(db, context.definitions, context.today, record, link.action_id, link.seq)


def judge_within(db: WriteTransaction, batch: Batch, link: Link) -> VerdictRow:
    """The verdict for a new link, in the savepoint of the caller. Whatever goes wrong is raised."""
    record = _judged_before(db, link)
    if record is not None:
        _add_receipt(db, batch, link, record)
        if record.verdict is Verdict.NEEDS_STAFF:
            note_sent_again(db)
        return repeat_verdict(db, batch, link, record.verdict_id)
    intent = _read(batch, link)
    if isinstance(intent, UnreadableIntent):
        return _quarantine(db, batch, link, _reason(link, intent))
    if intent.site_id != batch.context.settings.site_id:
        return _quarantine(db, batch, link, "it belongs to another site")
    if stored_answer(db, intent.action_id) is not None:
        return _quarantine(db, batch, link, "its id was used for another action")
    received = _received(db, batch, link, intent)
    if received is None:
        return _quarantine(db, batch, link, "it belongs to another chain")
    claim = refused_claim(db, batch, intent) or refused_time(db, received)
    if claim is not None:
        return _quarantine(db, batch, link, claim.reason, received if claim.may_count else None, claim.code)
    return _judge_received(db, batch, link, received)


def _read(batch: Batch, link: Link) -> Intent | UnreadableIntent:
    """The intent of a link, with its card under the newest key: the kiosk may have read it under an older one."""
    intent = link.intent
    if isinstance(intent, UnreadableIntent) or intent.card is None:
        return intent
    return msgspec.structs.replace(intent, card=batch.keys.lift(intent.card))


def _judge_received(db: WriteTransaction, batch: Batch, link: Link, received: ReceivedAction) -> VerdictRow:
    intent, context = received.intent, batch.context
    judged = judge(db, context, received)
    record = judged.record
    assert link.document is not None
    answer = StoredAnswer(content_hash(link.document), record.verdict.value, None)
    kiosk_id = batch.sender.kiosk_id
    store_answer(db, intent.action_id, record.patient_id, intent.action_type, kiosk_id, answer, context.now_ms)
    _add_receipt(db, batch, link, record)
    return verdict_row(record, intent.action_id, link.seq, judged.journey)


def _quarantine(
    db: WriteTransaction,
    batch: Batch,
    link: Link,
    reason: str,
    received: ReceivedAction | None = None,
    code: str = Code.QUARANTINED,
) -> VerdictRow:
    record = quarantine(db, batch, link, reason, received, code)
    _add_receipt(db, batch, link, record)
    return verdict_row(record, link.action_id, link.seq, None)


def _add_receipt(db: WriteTransaction, batch: Batch, link: Link, record: VerdictRecord) -> None:
    # A link from a file leaves a receipt too, but never in the place of one that the chain has.
    if batch.in_chain or read_receipt(db, batch.chain, link.seq) is None:
        put_receipt(db, batch.chain, link.seq, Receipt(link.hash, record.verdict_id))


def _judged_before(db: ReadTransaction, link: Link) -> VerdictRecord | None:
    """The verdict of an action that came before with the same content.

    An opaque record counts as the action of its id, since its content may have been damaged on the kiosk's disk.
    """
    record = latest_verdict(db, link.action_id)
    if link.opaque:
        return record
    before = stored_answer(db, link.action_id)
    if before is None or link.document is None:
        return None
    return record if before.content_hash == content_hash(link.document) else None


def _reason(link: Link, unreadable: UnreadableIntent) -> str:
    """Why a link cannot be read, for staff."""
    if link.opaque:
        return "no centre could accept it"
    return unreadable.reason if link.canonical is not None else "not JSON that can be kept"


def _received(
    db: ReadTransaction, batch: Batch, link: Link, intent: Intent | UnreadableIntent
) -> ReceivedAction | None:
    """The action as it came in; None where it is unreadable, or names another place than its own in the chain.

    None for another site's action too: its patient's id may be another person's here, and staff could apply it.
    """
    place = (batch.context.settings.site_id, batch.chain.kiosk_id, batch.chain.epoch, link.seq)
    if isinstance(intent, UnreadableIntent) or (intent.site_id, intent.kiosk_id, intent.epoch, intent.seq) != place:
        return None
    prior = link.prior_verdict if link.prior_verdict and link.prior_verdict.revision in _REVISIONS else None
    sender = batch.sender
    window = read_window(db, batch.chain, link.seq)
    return ReceivedAction(intent, sender.kiosk_id, sender.grants, batch.sent, batch.context.now_ms, prior, window)
