"""The patients that one action of a kiosk names: by patient id, by card, and by the binding of the card."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

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


def read_identities(
    db: ReadTransaction, patient_id: str, cards: Sequence[CardHash], binding_id: str | None
) -> Identities:
    """The patients behind the ids of an action, aliases resolved. Of several hashes the first bound one counts."""
    hashes: dict[str, str] = {}
    for place, card in enumerate(cards):
        hashes |= {f"key{place}": card.key_id, f"hash{place}": card.uid_hash}
    row = db.row(_query(len(cards)), patient_id=patient_id, binding_id=binding_id, **hashes)
    assert row is not None
    patient, card_holder, binding_holder, blocks = row
    return Identities(patient, card_holder, binding_holder, blocks > 0)


@cache
def _query(cards: int) -> str:
    """The SQL for an action whose card has `cards` hashes."""
    holders = [
        "(select b.patient_id from binding_hashes h join bindings b on b.binding_id = h.binding_id"  # noqa: S608
        f" where h.key_id = :key{place} and h.uid_hash = :hash{place} and b.end_ms is null)"
        for place in range(cards)
    ]
    blocks = [
        "(select count(*) from blocked_hashes h join card_blocks b on b.block_id = h.block_id"  # noqa: S608
        f" where h.key_id = :key{place} and h.uid_hash = :hash{place} and b.end_ms is null)"
        for place in range(cards)
    ]
    return (
        "select coalesce((select patient_id from patients where patient_id = :patient_id),"  # noqa: S608
        " (select patient_id from patient_aliases where alias_id = :patient_id)),"
        f" coalesce({', '.join([*holders, 'null', 'null'])}),"
        # A merge of records moves its bindings, so their patient is never an alias.
        f" (select patient_id from bindings where binding_id = :binding_id), {' + '.join([*blocks, '0'])}"
    )
