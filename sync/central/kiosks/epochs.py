"""A batch that does not fit the kiosk's chain: the centre asks for missing actions, and a fork begins a new epoch."""

import logging
from dataclasses import replace

from sync.central.kiosks.batch import Batch
from sync.central.kiosks.links import Gap
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.cases import FORK, GAP, NewCase, open_or_repeat
from sync.central.records.chains import write_chain
from sync.central.records.kiosks import begin_epoch
from sync.central.records.told_seqs import carry_over
from sync.central.store.transactions import WriteTransaction
from sync.protocol import CallRefused, EndCode

log = logging.getLogger(__name__)

ASKS_BEFORE_LOST = 3  # requests for missing actions before they count as lost
_MAX_EPOCH = 2**40


def ask_for_missing(db: WriteTransaction, batch: Batch, gap: Gap) -> CallRefused:
    """Asks the kiosk for the missing actions. After three times they count as lost, and a new epoch begins."""
    chain = batch.chain
    if chain.times_asked >= ASKS_BEFORE_LOST:
        return begin_next_epoch(db, batch, chain.epoch, GAP)
    write_chain(db, replace(chain, times_asked=chain.times_asked + 1))
    return CallRefused(
        code=EndCode.GAP,
        error="actions are missing in between",
        site_id=batch.context.settings.site_id,
        expected_seq=gap.expected_seq,
        epoch=chain.epoch,
    )


def begin_next_epoch(db: WriteTransaction, batch: Batch, sent_epoch: int, code: str = FORK) -> CallRefused:
    """Refuses the batch and tells the kiosk the epoch to continue under; staff get a case of this code.

    `sent_epoch` is the epoch of the batch. Where the kiosk missed the answer with the present epoch, it gets the
    present epoch again.
    """
    chain = batch.chain
    epoch = chain.epoch
    if sent_epoch >= chain.epoch or not chain.unused:
        epoch = max(chain.epoch, min(sent_epoch, _MAX_EPOCH)) + 1
        begin_epoch(db, chain.kiosk_id, epoch)
        carry_over(db, chain, epoch)
        _inform_staff(db, batch, code, {"epoch": sent_epoch, "new_epoch": epoch, "last_seq": chain.last_seq})
    return CallRefused(
        code=EndCode.FORK,
        error="this chain does not continue the chain that the centre has",
        site_id=batch.context.settings.site_id,
        epoch=epoch,
    )


def _inform_staff(db: WriteTransaction, batch: Batch, code: str, detail: dict[str, int]) -> None:
    context, kiosk_id = batch.context, batch.chain.kiosk_id
    note(db, kiosk_id, AuditKind(code), context.now_ms, detail=detail)
    open_or_repeat(db, context.ids(), NewCase(code, kiosk_id, detail, matter=code), context.now_ms)
    log.warning(
        "kiosk %s: %s in epoch %s; it continues in epoch %s", kiosk_id, code, detail["epoch"], detail["new_epoch"]
    )
