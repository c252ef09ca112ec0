"""New actions of a kiosk, held against the hashes that its pulls have told of them.

A hash covers the whole chain up to its action. So another hash shows that the action was not there at the pull that
told of it: a disk was set back, or a kiosk made room for an earlier arrival. The pull then counts as one that told
nothing of the action, and the action gets no earlier time by it.
"""

import logging
from collections.abc import Sequence

from sync.central.kiosks.batch import Batch
from sync.central.kiosks.links import Link
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.cases import REWRITTEN, NewCase, has_open_case, open_case
from sync.central.records.told_seqs import take_back, told_hashes
from sync.central.store.transactions import WriteTransaction

log = logging.getLogger(__name__)


def hold_against_told(db: WriteTransaction, batch: Batch, fresh: Sequence[Link]) -> None:
    """Takes back what pulls have told of new links that have another hash by now. Staff get a case."""
    told = told_hashes(db, batch.chain)
    proven = batch.chain.last_seq
    for link in fresh:
        if told.get(link.seq, link.hash) != link.hash:
            take_back(db, batch.chain, proven)
            _inform_staff(db, batch, link.seq)
            return
        proven = link.seq if link.seq in told else proven


def _inform_staff(db: WriteTransaction, batch: Batch, seq: int) -> None:
    context, chain = batch.context, batch.chain
    detail = {"epoch": chain.epoch, "seq": seq}
    note(db, chain.kiosk_id, AuditKind.REWRITTEN, context.now_ms, detail=detail)
    if not has_open_case(db, REWRITTEN, chain.kiosk_id):
        open_case(db, context.ids(), NewCase(REWRITTEN, chain.kiosk_id, detail), context.now_ms)
    log.warning("kiosk %s: action %s is another one than it had told of", chain.kiosk_id, seq)
