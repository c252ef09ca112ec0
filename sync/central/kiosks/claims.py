"""What a kiosk says, held against what the centre knows, before the action is judged.

A kiosk stands in a hall, and can be stolen. Its word about an action at its own reader is believed. Its word about
anything else is not: a refused claim is set aside for staff with its reason, and changes nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sync.central.conflicts.evidence import ReceivedAction
from sync.central.kiosks.batch import Batch
from sync.central.maintenance.restore_gap import was_restored
from sync.central.records.bindings import has_held
from sync.central.records.cases import NOT_NAMED, TAKEN_BACK
from sync.central.records.catching_up import is_catching_up
from sync.central.records.entries import patient_of_entry
from sync.central.records.identities import read_identities
from sync.central.records.kiosks import is_prefix_in_use, read_kiosk
from sync.central.records.roster import is_on_roster
from sync.central.records.undos import is_taken_back
from sync.central.records.visits import is_visit_of, read_visit
from sync.central.store.transactions import ReadTransaction
from sync.ids import is_provisional_id
from sync.journey.queue_numbers import LARGEST_COUNT, read_queue_number
from sync.protocol import Code, Intent


@dataclass(frozen=True, slots=True)
class Claim:
    """A kind of claim: the reason for staff where it is refused, and the function that says whether it is believed.

    `code` is that of the case. `may_count`: staff may still apply the action, or reassign it.
    """

    reason: str
    believed: Callable[[ReadTransaction, Batch, Intent], bool]
    code: str = Code.QUARANTINED
    may_count: bool = False


def refused_claim(db: ReadTransaction, batch: Batch, intent: Intent) -> Claim | None:
    """The first claim of an action that is not believed; None for an action that can be judged."""
    return next((claim for claim in CLAIMS if not claim.believed(db, batch, intent)), None)


def refused_time(db: ReadTransaction, received: ReceivedAction) -> Claim | None:
    """Refuses an action of a time of which staff have taken back all that its kiosk did; None for any other action.

    Staff may still apply it: the person may have been there.
    """
    return _TAKEN_BACK if is_taken_back(db, received.kiosk_id, received.happened.at_ms) else None


def _names_a_stranger_by_its_own_id(_: ReadTransaction, __: Batch, intent: Intent) -> bool:
    """A kiosk's own id for the holder of an unknown card must be one that no hospital gives.

    It becomes another name of the patient whose card it is. An id of the hospital would give that patient's name to
    the hospital's own patient of the id.
    """
    return not intent.provisional or is_provisional_id(intent.patient_id)


def _has_a_number(_: ReadTransaction, __: Batch, intent: Intent) -> bool:
    """A queue number is shown to everybody, so it is a prefix and a count, and no free text."""
    if not intent.queue_number:
        return True
    read = read_queue_number(intent.queue_number)
    return read is not None and 1 <= read[1] <= LARGEST_COUNT


def _has_its_own_number(db: ReadTransaction, batch: Batch, intent: Intent) -> bool:
    """A number has neither the centre's prefix nor another kiosk's.

    A prefix that nobody has now may be this kiosk's own, from before it was revoked and enrolled again, or from before
    a restore of the centre.
    """
    read = read_queue_number(intent.queue_number) if intent.queue_number else None
    if read is None or read[0] == batch.sender.ticket_prefix:
        return True
    return read[0] != batch.context.settings.ticket_prefix and not is_prefix_in_use(db, read[0])


def _names_whom_it_was_told_of(db: ReadTransaction, batch: Batch, intent: Intent) -> bool:
    """A patient is one whom a page or a look-up named: a verdict tells the journey, so an id alone is not enough.

    A row that named the patient on any day told ids that nobody can guess: a binding, in force or ended, the hash of a
    card, or a visit. An action that names one of them is believed, and so is the id that a kiosk has made for the
    patient. Without one, a patient of today's roster is believed, since every kiosk gets that row. Nothing is kept for
    each kiosk, so the rule lets these through:

    - what another kiosk was told, at any time;
    - the holder of a card, by the hash of the card alone. A kiosk may ask for that with a look-up;
    - whatever a kiosk sends after a restore, which may have lost those rows, until it has sent all that it kept and has
      the whole roster.

    An id that is nobody's gets the same answer as a stranger's, so no verdict tells whether an id is anybody's.
    """
    if is_provisional_id(intent.patient_id):
        return True
    known = read_identities(db, intent.patient_id, intent.card, intent.binding_id)
    patient = known.patient
    if patient is None:
        return _may_know_lost_rows(db, batch)
    if patient == known.binding_holder or is_visit_of(db, intent.visit_id, patient):
        return True
    if intent.card and has_held(db, patient, intent.card):
        return True
    context = batch.context
    return is_on_roster(db, context.definitions, patient, context.today) or _may_know_lost_rows(db, batch)


def _opens_what_is_its_patients(db: ReadTransaction, batch: Batch, intent: Intent) -> bool:
    """The ids under which an action would open a visit and an entry are new, or its patient's.

    Every page tells the ids of others. The database holds one row of an id, so the opening could only break.
    """
    rule = batch.context.definitions.actions.get(intent.action_type)
    if rule is None:
        return True
    visit = read_visit(db, intent.visit_id) if rule.visit == "open" else None
    # An alias is no row of its own: an honest kiosk may open a visit again that a restore has lost.
    is_row = visit is not None and visit.visit_id == intent.visit_id
    owners = {
        visit.patient_id if visit and is_row else None,
        patient_of_entry(db, intent.queue_id) if rule.opens_entry else None,
    }
    if owners == {None}:
        return True
    known = read_identities(db, intent.patient_id, intent.card, intent.binding_id)
    return owners <= {None, known.subject(provisional=intent.provisional)}


def _may_know_lost_rows(db: ReadTransaction, batch: Batch) -> bool:
    """Whether the kiosk may know rows that a restore has lost. So may a kiosk that itself was lost, by a file."""
    kiosk_id = batch.sender.kiosk_id
    return is_catching_up(db, kiosk_id) or (was_restored(db) and read_kiosk(db, kiosk_id) is None)


CLAIMS = (
    Claim("its id for the holder of an unknown card is not one that a kiosk makes", _names_a_stranger_by_its_own_id),
    Claim("its queue number is none", _has_a_number),
    Claim("its queue number is another kiosk's, or the centre's", _has_its_own_number),
    Claim("the centre never named its patient to a kiosk", _names_whom_it_was_told_of, NOT_NAMED, may_count=True),
    Claim("it would open a visit or an entry under an id that is another patient's", _opens_what_is_its_patients),
)

_TAKEN_BACK = Claim("staff took back what its kiosk did then", lambda *_: False, TAKEN_BACK, may_count=True)
