"""The patients that one action of a kiosk names: by patient id, by card, and by the binding of the card."""

from dataclasses import dataclass

from sync.cards import CardHash
from sync.central.store.transactions import ReadTransaction
from sync.journey.model import PatientId


@dataclass(frozen=True, slots=True)
class Identities:
    """The patients that an action names; None where the centre knows no such patient, bound card or binding.

    `card_holder` holds the card now; `binding_holder` held it under the binding that the kiosk read. `card_blocked`:
    the card was reported lost.
    """

    patient: PatientId | None
    card_holder: PatientId | None
    binding_holder: PatientId | None
    card_blocked: bool


def read_identities(db: ReadTransaction, patient_id: str, card: CardHash | None, binding_id: str | None) -> Identities:
    """The patients behind the ids of an action, aliases resolved."""
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
