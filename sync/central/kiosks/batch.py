"""A pushed batch, as judging its links needs it."""

from dataclasses import dataclass

from sync.central.conflicts.gather import JudgingContext
from sync.central.records.chains import Chain
from sync.central.records.kiosks import Kiosk
from sync.clock import ClockReading


@dataclass(frozen=True, slots=True)
class Batch:
    """What the links of a batch have in common: the judging context, the sender, its chain before the batch.

    `sent` is the kiosk's clocks at sending.
    """

    context: JudgingContext
    sender: Kiosk
    chain: Chain
    sent: ClockReading
