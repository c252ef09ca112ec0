"""The patients that one action of a kiosk names: by patient id, by card, and by the binding of the card."""

from collections.abc import Collection

import msgspec

from sync.cards import CardHash
from sync.central.records.bindings import holders_under, read_holders_ahead
from sync.central.records.card_blocks import blocked_among
from sync.central.records.patients import read_patients_ahead
from sync.central.store.set_transaction import SetTransaction
from sync.central.store.transactions import UNREAD, Question, ReadTransaction
from sync.journey.model import PatientId

Named = tuple[str, CardHash | None, str | None]  # a patient's id, a card, and a binding's id


class Identities(msgspec.Struct, frozen=True):
    """The patients that an action names; None where the centre knows no such patient, bound card or binding.

    `card_holder` holds the card now; `binding_holder` held it under the binding that the kiosk read. `card_blocked`:
    the card was reported lost.
    """

    patient: PatientId | None
    card_holder: PatientId | None
    binding_holder: PatientId | None
    card_blocked: bool

    def subject(self, *, provisional: bool) -> PatientId | None:
        """The patient whom an action is for. Without an id that is known, the holder of a card that the kiosk did not
        know (`provisional`).
        """
        return self.patient or (self.card_holder if provisional else None)


def read_identities(db: ReadTransaction, patient_id: str, card: CardHash | None, binding_id: str | None) -> Identities:
    """The patients behind the ids of an action, aliases resolved."""
    known = db.known(_NAMED, (patient_id, card, binding_id))
    if known is not UNREAD:
        return known
    row = db.row(
        _QUERY,
        patient_id=patient_id,
        binding_id=binding_id,
        key_id=card.key_id if card else None,
        uid_hash=card.uid_hash if card else None,
    )
    assert row is not None
    patient, card_holder, binding_holder, blocks = row
    return Identities(patient, card_holder, binding_holder, blocks > 0)


def read_identities_ahead(db: SetTransaction, named: Collection[Named]) -> None:
    """Reads the patients behind the ids of a set of actions, each as the arguments of `read_identities`."""
    cards = {card for _, card, _ in named if card is not None}
    patients = read_patients_ahead(db, {patient_id for patient_id, _, _ in named})
    holders, blocked = read_holders_ahead(db, cards), blocked_among(db, cards)
    under = holders_under(db, {binding_id for _, _, binding_id in named if binding_id is not None})
    answers = {}
    for patient_id, card, binding_id in named:
        answers[(patient_id, card, binding_id)] = Identities(
            patients[patient_id],
            holders[card].now if card else None,
            under.get(binding_id) if binding_id else None,
            card in blocked,
        )
    db.read_ahead(_NAMED, answers)


_NAMED: Question[Named, Identities] = Question()
_QUERY = (
    "select coalesce((select patient_id from patients where patient_id = :patient_id),"
    " (select patient_id from patient_aliases where alias_id = :patient_id)),"
    " (select b.patient_id from binding_hashes h join bindings b on b.binding_id = h.binding_id"
    " where h.key_id = :key_id and h.uid_hash = :uid_hash and b.end_ms is null),"
    # A merge of records moves its bindings, so their patient is never an alias.
    " (select patient_id from bindings where binding_id = :binding_id),"
    " (select count(*) from blocked_hashes h join card_blocks b on b.block_id = h.block_id"
    " where h.key_id = :key_id and h.uid_hash = :uid_hash and b.end_ms is null)"
)
