"""A pushed batch, in the form that the judgement of its links needs."""

from dataclasses import dataclass

from sync.cards import CardKeys
from sync.central.conflicts.gather import JudgingContext
from sync.central.records.chains import Chain
from sync.central.records.kiosks import Kiosk
from sync.clock import ClockReading


@dataclass(frozen=True, slots=True)
class Batch:
    """The common values of the links of a batch: the judging context, the sender, its chain before the batch.

    `sent` is the kiosk's clocks at sending. `in_chain`: the links continue the chain; False for links from a file.
    `keys` are the card keys of the kiosks.
    """

    context: JudgingContext
    keys: CardKeys
    sender: Kiosk
    chain: Chain
    sent: ClockReading
    in_chain: bool = True
