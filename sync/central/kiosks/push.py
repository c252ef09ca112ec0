"""A batch of a kiosk's actions: fitted to its chain, judged one by one, committed whole.

One transaction a batch, a savepoint an action; effects, verdicts, receipts and watermark commit together. What cannot
be digested is quarantined and the watermark advances; a database that is busy or full raises, and nothing advances.
"""

import logging
from collections.abc import Callable, Collection
from dataclasses import replace

from sync.central.conflicts.evidence import ReceivedAction
from sync.central.conflicts.gather import JudgingContext, judging_context
from sync.central.conflicts.judge import judge
from sync.central.conflicts.waiting import FORK, GAP, NewCase, is_open, open_case
from sync.central.kiosks.intents import UnreadableIntent, content_hash, read_intent
from sync.central.kiosks.links import (
    TOLD_BEFORE_LOST,
    Chain,
    Continues,
    Gap,
    Link,
    ask_again,
    fit,
    keep_receipt,
    links_of,
    read_chain,
    write_chain,
)
from sync.central.kiosks.quarantine import is_of_the_action, quarantine
from sync.central.records.audit import note
from sync.central.records.idempotency import StoredAnswer, store_answer, stored_answer
from sync.central.records.kiosks import Kiosk, note_contact, read_kiosk, set_epoch
from sync.central.records.verdicts import VerdictRecord, as_row, as_row_now, latest_verdict
from sync.central.store.sqlite import ReadTransaction, Store, WriteTransaction
from sync.clock import ClockReading
from sync.journey.definitions import Definitions
from sync.protocol import (
    MAX_BATCH,
    SUPPORTED_VERSIONS,
    CallRefused,
    EndCode,
    Intent,
    PushAnswer,
    PushRequest,
    VerdictRow,
)

log = logging.getLogger(__name__)


class Ingest:
    """Takes what kiosks push. May be called from any thread."""

    def __init__(
        self,
        store: Store,
        definitions: Definitions,
        clock: Callable[[], int],
        ids: Callable[[], str],
        versions: frozenset[int] = SUPPORTED_VERSIONS,
    ) -> None:
        """`versions` are the versions of the protocol that this centre speaks."""
        self._store = store
        self._definitions = definitions
        self._clock = clock
        self._ids = ids
        self._versions = tuple(sorted(versions))

    def push(self, kiosk_id: str, request: PushRequest) -> PushAnswer | CallRefused:
        """Judges a batch from the kiosk that the token stands for. Raises sqlite3.OperationalError where the database
        is busy or full; nothing was kept then."""
        if request.protocol_version not in self._versions:
            return unsupported(self._versions)
        if len(request.actions) > MAX_BATCH:
            return CallRefused(code=EndCode.MALFORMED, error=f"a batch holds at most {MAX_BATCH} actions")
        now_ms = self._clock()
        with self._store.write() as db:
            sender = read_kiosk(db, kiosk_id)
            if sender is None or sender.revoked_ms is not None or request.kiosk_id != kiosk_id:
                return fenced()
            note_contact(db, kiosk_id, now_ms)
            context = judging_context(db, self._definitions, self._ids, now_ms)
            return self._take(db, context, sender, request)

    def _take(
        self, db: WriteTransaction, context: JudgingContext, sender: Kiosk, request: PushRequest
    ) -> PushAnswer | CallRefused:
        chain = read_chain(db, sender.kiosk_id, sender.epoch)
        if request.epoch != sender.epoch:
            return self._new_epoch(db, context, sender, chain, request.epoch)
        links = links_of(chain, request.actions)
        fitted = fit(db, chain, links)
        if isinstance(fitted, Gap):
            return self._gap(db, context, sender, chain, fitted)
        if not isinstance(fitted, Continues):
            return self._new_epoch(db, context, sender, chain, request.epoch)
        verdicts = [self._again(db, context, link, verdict_id) for link, verdict_id in fitted.known]
        verdicts += [self._judge(db, context, sender, chain, link, request.now) for link in fitted.fresh]
        if fitted.fresh:
            last = fitted.fresh[-1]
            chain = replace(chain, last_seq=last.seq, last_hash=last.hash, told=0)
            write_chain(db, chain)
            # Verdicts that move no journey take no number of their own; without one, a backup from before them would
            # look as new as the database, and the kiosk would not be asked for them after a restore.
            db.next_change()
        return PushAnswer(
            server_incarnation=context.settings.server_incarnation,
            last_seq=chain.last_seq,
            backed_up_seq=chain.backed_up_seq,
            verdicts=verdicts,
            versions=self._versions,
        )

    def _judge(
        self, db: WriteTransaction, context: JudgingContext, sender: Kiosk, chain: Chain, link: Link, sent: ClockReading
    ) -> VerdictRow:
        """The verdict for one new link, which leaves its receipt whatever becomes of it."""
        try:
            with db.savepoint():
                return self._digest(db, context, sender, chain, link, sent)
        except Exception as error:
            # One action that the code or the tables cannot take must not hold back the others.
            if not is_of_the_action(error):
                raise
            # The message may quote the action; its kind does not.
            log.error("action %s of %s failed: %s", link.seq, sender.kiosk_id, type(error).__name__)  # noqa: TRY400
            with db.savepoint():
                return self._failed(db, context, sender, chain, link, sent)

    def _digest(
        self, db: WriteTransaction, context: JudgingContext, sender: Kiosk, chain: Chain, link: Link, sent: ClockReading
    ) -> VerdictRow:
        record = _judged_before(db, link)
        if record is not None:
            keep_receipt(db, chain, link, record.verdict_id)
            return self._again(db, context, link, record.verdict_id)
        intent = read_intent(link.document)
        if isinstance(intent, UnreadableIntent):
            return self._quarantine(db, context, chain, link, _why(link, intent))
        if stored_answer(db, intent.action_id) is not None:
            return self._quarantine(db, context, chain, link, "its id was used for another action")
        if not _stands_in(chain, link, intent):
            return self._quarantine(db, context, chain, link, "it belongs to another chain")
        return self._settle(db, context, sender, chain, link, intent, sent)

    def _settle(
        self,
        db: WriteTransaction,
        context: JudgingContext,
        sender: Kiosk,
        chain: Chain,
        link: Link,
        intent: Intent,
        sent: ClockReading,
    ) -> VerdictRow:
        received = _heard(sender, context, link, intent, sent)
        judged = judge(db, context, received)
        record = judged.record
        assert link.document is not None
        kept = StoredAnswer(content_hash(link.document), record.verdict.value, None)
        store_answer(db, intent.action_id, record.patient_id, intent.action_type, sender.kiosk_id, kept, context.now_ms)
        keep_receipt(db, chain, link, record.verdict_id)
        return as_row(record, intent.action_id, link.seq, judged.journey)

    def _quarantine(
        self,
        db: WriteTransaction,
        context: JudgingContext,
        chain: Chain,
        link: Link,
        reason: str,
        received: ReceivedAction | None = None,
    ) -> VerdictRow:
        record = quarantine(db, context, chain, link, reason, received)
        keep_receipt(db, chain, link, record.verdict_id)
        return as_row(record, link.action_id, link.seq, None)

    def _failed(
        self, db: WriteTransaction, context: JudgingContext, sender: Kiosk, chain: Chain, link: Link, sent: ClockReading
    ) -> VerdictRow:
        """What an action that failed inside comes to. Where it is one, it is kept so that staff can have it judged."""
        intent, received = read_intent(link.document), None
        if isinstance(intent, Intent) and _stands_in(chain, link, intent):
            received = _heard(sender, context, link, intent, sent)
        return self._quarantine(db, context, chain, link, "it failed inside", received)

    def _again(self, db: WriteTransaction, context: JudgingContext, link: Link, verdict_id: str) -> VerdictRow:
        record = latest_verdict(db, verdict_id)
        assert record is not None
        return as_row_now(db, self._definitions, context.today, record, link.action_id, link.seq)

    def _gap(self, db: WriteTransaction, context: JudgingContext, sender: Kiosk, chain: Chain, gap: Gap) -> CallRefused:
        """What is missing is asked for; what does not come when asked for is lost, and the kiosk goes on without."""
        if chain.told >= TOLD_BEFORE_LOST:
            return self._new_epoch(db, context, sender, chain, chain.epoch, GAP)
        ask_again(db, chain)
        return CallRefused(
            code=EndCode.GAP, error="actions are missing in between", expected_seq=gap.expected_seq, epoch=chain.epoch
        )

    def _new_epoch(
        self, db: WriteTransaction, context: JudgingContext, sender: Kiosk, chain: Chain, epoch: int, why: str = FORK
    ) -> CallRefused:
        """The chain goes on under a new epoch, and staff are told. An epoch that was given and not used yet, because
        the answer was lost, is given again."""
        record = chain.epoch
        if epoch >= chain.epoch or not chain.unused:
            record = max(chain.epoch, min(epoch, _MAX_EPOCH)) + 1
            set_epoch(db, sender.kiosk_id, record)
            detail = {"epoch": epoch, "new_epoch": record, "last_seq": chain.last_seq}
            note(db, sender.kiosk_id, why, context.now_ms, detail=detail)
            if not is_open(db, why, sender.kiosk_id):
                open_case(db, context.ids(), NewCase(why, sender.kiosk_id, detail), context.now_ms)
            log.warning("kiosk %s: %s in epoch %s; it goes on in epoch %s", sender.kiosk_id, why, epoch, record)
        return CallRefused(
            code=EndCode.FORK, error="this chain does not continue the one that is known here", epoch=record
        )


def _judged_before(db: ReadTransaction, link: Link) -> VerdictRecord | None:
    """The verdict that an action has: where it came before with the same content or, whatever has become of it on the
    kiosk's disk since, where it comes unread."""
    record = latest_verdict(db, link.action_id)
    if record is None or link.opaque or link.document is None:
        return record if link.opaque else None
    before = stored_answer(db, link.action_id)
    return record if before is not None and before.content_hash == content_hash(link.document) else None


def _why(link: Link, undigested: UnreadableIntent) -> str:
    """Why a link cannot be digested, for staff."""
    if link.opaque:
        return "no centre could take it in"
    return undigested.reason if link.canonical is not None else "not JSON that can be kept"


def _stands_in(chain: Chain, link: Link, intent: Intent) -> bool:
    """Whether an action names the place in the chain that it came in."""
    return (intent.kiosk_id, intent.epoch, intent.seq) == (chain.kiosk_id, chain.epoch, link.seq)


def _heard(sender: Kiosk, context: JudgingContext, link: Link, intent: Intent, sent: ClockReading) -> ReceivedAction:
    held = link.held if link.held and link.held.revision in _REVISIONS else None
    return ReceivedAction(intent, sender.kiosk_id, sender.grants, sent, context.now_ms, held)


_MAX_EPOCH = 2**40
_REVISIONS = range(2**31)  # that a kiosk may say it was told


def fenced() -> CallRefused:
    """The answer to a kiosk that is none of this site's, or no longer one."""
    return CallRefused(code=EndCode.FENCED, error="this kiosk is not enrolled here, or no longer: enrol it again")


def unsupported(versions: Collection[int]) -> CallRefused:
    """The answer to a version of the protocol that is none of `versions`."""
    listed = tuple(sorted(versions))
    named = ", ".join(str(version) for version in listed)
    return CallRefused(
        code=EndCode.UNSUPPORTED_VERSION, error=f"this centre speaks protocol versions {named}", versions=listed
    )
