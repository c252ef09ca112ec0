"""The patients that one action of a kiosk names: by patient id, by card, and by the binding of the card."""

from collections.abc import Sequence
from dataclasses import dataclass

from sync.cards import CardHash
from sync.central.records.bindings import any_hash_of
from sync.central.store.transactions import ReadTransaction
from sync.journey.model import PatientId


@dataclass(frozen=True, slots=True)
class Identities:
    """Whom an action names; None where the centre knows no such patient, bound card or binding.

    `card_holder` holds the card now; `binding_holder` held it under the binding that the kiosk read.
    """

    patient: PatientId | None
    card_holder: PatientId | None
    binding_holder: PatientId | None


def read_identities(
    db: ReadTransaction, patient_id: str, cards: Sequence[CardHash], binding_id: str | None
) -> Identities:
    """The patients behind the ids of an action, aliases resolved."""
    hashes, parameters = any_hash_of(cards)
    row = db.row(
        "select coalesce((select patient_id from patients where patient_id = :patient_id),"  # noqa: S608
        " (select patient_id from patient_aliases where alias_id = :patient_id)),"
        f" (select b.patient_id from {hashes} where b.end_ms is null order by c.place limit 1),"
        # A merge of records moves its bindings, so their patient is never an alias.
        " (select patient_id from bindings where binding_id = :binding_id)",
        patient_id=patient_id,
        binding_id=binding_id,
        **parameters,
    )
    assert row is not None
    return Identities(*row)
