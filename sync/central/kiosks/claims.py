"""What a kiosk says, held against what the centre knows, before the action is judged.

A kiosk stands in a hall, and can be stolen. Its word about an action at its own reader is believed. Its word about
anything else is not: a refused claim is set aside for staff with its reason, and changes nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sync.central.kiosks.batch import Batch
from sync.central.records.kiosks import is_prefix_in_use
from sync.central.store.transactions import ReadTransaction
from sync.ids import is_provisional_id
from sync.journey.queue_numbers import LARGEST_COUNT, read_queue_number
from sync.protocol import Intent


@dataclass(frozen=True, slots=True)
class Claim:
    """A kind of claim: the reason for staff where it is refused, and the function that says whether it is believed."""

    reason: str
    believed: Callable[[ReadTransaction, Batch, Intent], bool]


def refused_claim(db: ReadTransaction, batch: Batch, intent: Intent) -> str | None:
    """The reason, for staff, why an action is not believed; None for one that can be judged."""
    return next((claim.reason for claim in CLAIMS if not claim.believed(db, batch, intent)), None)


def _names_a_stranger_by_its_own_id(_: ReadTransaction, __: Batch, intent: Intent) -> bool:
    """A kiosk's own id for the holder of an unknown card must be one that no hospital gives.

    It becomes another name of the patient whose card it is. An id of the hospital would give that patient's name to
    the hospital's own patient of the id.
    """
    return not intent.provisional or is_provisional_id(intent.patient_id)


def _has_a_number(_: ReadTransaction, __: Batch, intent: Intent) -> bool:
    """A queue number is shown to everybody, so it is a prefix and a count, and no free text."""
    read = read_queue_number(intent.queue_number)
    return not intent.queue_number or (read is not None and 1 <= read[1] <= LARGEST_COUNT)


def _has_its_own_number(db: ReadTransaction, batch: Batch, intent: Intent) -> bool:
    """A number has neither the centre's prefix nor another kiosk's.

    A prefix that nobody has now may be this kiosk's own, from before it was revoked and enrolled again, or from before
    a restore of the centre.
    """
    read = read_queue_number(intent.queue_number)
    if read is None or read[0] == batch.sender.ticket_prefix:
        return True
    return read[0] != batch.context.settings.ticket_prefix and not is_prefix_in_use(db, read[0])


CLAIMS = (
    Claim("its id for the holder of an unknown card is not one that a kiosk makes", _names_a_stranger_by_its_own_id),
    Claim("its queue number is none", _has_a_number),
    Claim("its queue number is another kiosk's, or the centre's", _has_its_own_number),
)
