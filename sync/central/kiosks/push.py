"""Push: a batch of a kiosk's actions is fitted to its chain, judged action by action, and committed whole.

A batch is one transaction. Effects, verdicts, receipts and the chain's new head commit together. An action that cannot
be judged goes into quarantine, and the chain moves on. A database that is busy or full raises, and the chain stays
where it is.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

import msgspec
from msgspec.structs import replace as with_fields

from sync.central.centre import Centre
from sync.central.conflicts.gather import judging_context
from sync.central.kiosks.batch import Batch
from sync.central.kiosks.card_limit import count_cards
from sync.central.kiosks.epochs import ask_for_missing, begin_next_epoch
from sync.central.kiosks.judge_batch import judge_batch
from sync.central.kiosks.judge_link import repeat_verdict
from sync.central.kiosks.links import Fork, Gap, Link, fit, links_of
from sync.central.kiosks.refusals import of_other_site, sender_of, unsupported
from sync.central.kiosks.rewritten import hold_against_told
from sync.central.metrics.counts import Measure
from sync.central.records.chains import Chain, read_chain, write_chain
from sync.central.records.kiosks import note_contact
from sync.central.records.told_seqs import forget_judged
from sync.central.store.set_transaction import SetTransaction
from sync.central.store.transactions import WriteTransaction
from sync.protocol import (
    MAX_BATCH,
    SUPPORTED_VERSIONS,
    CallRefused,
    EndCode,
    PushAnswer,
    PushRequest,
    VerdictRow,
)
from sync.text import holds_nul

_NO_BODY = msgspec.Raw(b"null")


def receive_batch(
    centre: Centre, kiosk_id: str, request: PushRequest, versions: Collection[int] = SUPPORTED_VERSIONS
) -> PushAnswer | CallRefused:
    """Judges a batch. `kiosk_id` is the kiosk of the token, `versions` the protocol versions that this centre speaks.

    Raises sqlite3.OperationalError where the database is busy or full. The batch is not stored then.
    """
    if request.protocol_version not in versions:
        return unsupported(versions)
    if len(request.actions) > MAX_BATCH:
        return CallRefused(code=EndCode.MALFORMED, error=f"a batch holds at most {MAX_BATCH} actions")
    now_ms = centre.clock()
    with centre.store.write() as db:
        refused = of_other_site(db, request.site_id)
        if refused is not None:
            return refused
        sender = sender_of(db, kiosk_id, request.kiosk_id)
        if isinstance(sender, CallRefused):
            return sender
        note_contact(db, kiosk_id, now_ms)
        context = judging_context(db, centre.definitions, centre.ids, now_ms)
        batch = Batch(context, centre.keys.published, sender, read_chain(db, kiosk_id, sender.epoch), request.now)
        answer, judged = _take(db, batch, request, versions)
    for each in judged:
        centre.counts.add(Measure.VERDICTS, each.verdict, each.code)
    return answer


def holds_nul_beside_bodies(message: object) -> bool:
    """Whether a text of a message holds U+0000, other than in the bodies of a push's actions."""
    told = _without_bodies(message) if isinstance(message, PushRequest) else message
    return holds_nul(msgspec.json.encode(told))


def _without_bodies(request: PushRequest) -> PushRequest:
    """A push without what its actions say."""
    bare = [with_fields(each, body=_NO_BODY) for each in request.actions]
    trial = with_fields(request.trial, body=_NO_BODY) if request.trial is not None else None
    return with_fields(request, actions=bare, trial=trial)


def _take(
    db: WriteTransaction, batch: Batch, request: PushRequest, versions: Collection[int]
) -> tuple[PushAnswer | CallRefused, Sequence[VerdictRow]]:
    """The answer to a push, and the verdicts of it that were given now."""
    if request.epoch != batch.chain.epoch:
        return begin_next_epoch(db, batch, request.epoch), ()
    fitted = fit(db, batch.chain, links_of(batch.chain, request.actions))
    if isinstance(fitted, Gap):
        return ask_for_missing(db, batch, fitted), ()
    if isinstance(fitted, Fork):
        return begin_next_epoch(db, batch, request.epoch), ()
    together = SetTransaction(db)
    too_many = count_cards(db, together, batch, fitted.fresh)
    if too_many is not None:
        return too_many, ()
    hold_against_told(db, batch, fitted.fresh)
    repeated = [repeat_verdict(db, batch, each.link, each.verdict_id) for each in fitted.repeats]
    judged = judge_batch(db, batch, fitted.fresh, together)
    chain = _advance(db, batch.chain, fitted.fresh)
    answer = PushAnswer(
        site_id=batch.context.settings.site_id,
        server_incarnation=batch.context.settings.server_incarnation,
        last_seq=chain.last_seq,
        backed_up_seq=chain.backed_up_seq,
        verdicts=[*repeated, *judged],
        versions=tuple(sorted(versions)),
    )
    return answer, judged


def _advance(db: WriteTransaction, chain: Chain, fresh: Sequence[Link]) -> Chain:
    """The chain after the new links of a batch."""
    if not fresh:
        return chain
    advanced = replace(chain, last_seq=fresh[-1].seq, last_hash=fresh[-1].hash, times_asked=0)
    write_chain(db, advanced)
    forget_judged(db, advanced)
    # Verdicts that move no journey take no change number. Without this number, an earlier backup would look as new as
    # the database, and a restored centre would not ask the kiosk for their actions.
    db.next_change()
    return advanced
