"""The verdicts for the new links of a batch, judged in their order as one set, or one by one where the set fails.

The set reads ahead what its actions ask for, and writes their rows together, in one savepoint. Where anything raises an
error of an action, the set is undone and each link is judged in a savepoint of its own. So the one bad action alone
goes into quarantine.
"""

import logging
from collections.abc import Iterator, Sequence

from sync.central.kiosks.batch import Batch
from sync.central.kiosks.judge_link import judge_link, judge_within
from sync.central.kiosks.links import Link
from sync.central.kiosks.read_ahead import read_ahead
from sync.central.store.errors import is_of_the_action
from sync.central.store.set_transaction import SetTransaction
from sync.central.store.transactions import WriteTransaction
from sync.protocol import MAX_BATCH, VerdictRow

log = logging.getLogger(__name__)

_FEWEST = 8  # links of a set: for fewer, reading ahead costs more than it saves


def judge_batch(
    db: WriteTransaction, batch: Batch, links: Sequence[Link], together: SetTransaction | None = None
) -> list[VerdictRow]:
    """The verdicts for new links. Raises the errors of the database itself.

    `together` is a set transaction inside of `db` with what was read ahead for the links already.
    """
    together = together or SetTransaction(db)
    try:
        with db.savepoint():
            verdicts = list(_judge_together(together, batch, links))
            together.flush()
            return verdicts
    except Exception as error:
        if not is_of_the_action(error):
            raise
        log.info("a batch of %s is judged one by one: %s", batch.sender.kiosk_id, type(error).__name__)
    return [judge_link(db, batch, link) for link in links]


def _judge_together(db: SetTransaction, batch: Batch, links: Sequence[Link]) -> Iterator[VerdictRow]:
    """Judges links in their order. Where one writes in its own way, half as many as before are read ahead again.

    Where that happens often, it does not pay, and the rest of the links ask the database.
    """
    ahead, until = MAX_BATCH, 0
    for place, link in enumerate(links):
        if place < until and not db.looks_ahead:
            ahead //= 2
            until = place
        if place == until and ahead >= _FEWEST:
            until = place + ahead
            read_ahead(db, batch, links[place:until])
        yield judge_within(db, batch, link)
