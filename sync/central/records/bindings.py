"""Cards bound to patients: a keyed hash of the card, a patient, a beginning and an end."""

from collections.abc import Sequence
from dataclasses import dataclass

from sync.cards import CardHash
from sync.central.store.sqlite import ReadTransaction, WriteTransaction
from sync.journey.model import BindingId, PatientId
from sync.protocol import BindingRow


@dataclass(frozen=True, slots=True)
class CardBinding:
    """Whose card it is now, and by which binding."""

    patient_id: PatientId
    binding_id: BindingId


def binding_of_card(db: ReadTransaction, cards: Sequence[CardHash]) -> CardBinding | None:
    """The binding in force of a card, given as its hash under each key; None for a card that is nobody's."""
    for card in cards:
        row = db.execute(
            "select b.patient_id, b.binding_id from binding_hashes h join bindings b on b.binding_id = h.binding_id"
            " where h.key_id = :key_id and h.uid_hash = :uid_hash and b.end_ms is null",
            {"key_id": card.key_id, "uid_hash": card.uid_hash},
        ).fetchone()
        if row is not None:
            return CardBinding(PatientId(row["patient_id"]), BindingId(row["binding_id"]))
    return None


def held_before(db: ReadTransaction, patient_id: str, cards: Sequence[CardHash]) -> bool:
    """Whether the card was ever bound to this patient, be the binding over or not."""
    return any(
        db.row(
            "select 1 from binding_hashes h join bindings b on b.binding_id = h.binding_id"
            " where h.key_id = :key_id and h.uid_hash = :uid_hash and b.patient_id = :patient_id",
            key_id=card.key_id,
            uid_hash=card.uid_hash,
            patient_id=patient_id,
        )
        for card in cards
    )


def bind(db: WriteTransaction, patient_id: str, cards: Sequence[CardHash], binding_id: str, now_ms: int) -> BindingId:
    """Binds a card to a patient and ends the binding it had before; returns the binding in force.

    A card that is this patient's already keeps its binding, and learns its hashes under newer keys. Whoever calls
    gives the patients concerned a new change number.
    """
    before = binding_of_card(db, cards)
    if before is not None and before.patient_id == patient_id:
        learn(db, before.binding_id, cards)
        return before.binding_id
    if before is not None:
        end(db, before.binding_id, now_ms)
    db.execute(
        "insert into bindings values (:binding_id, :patient_id, :now_ms, null)",
        {"binding_id": binding_id, "patient_id": patient_id, "now_ms": now_ms},
    )
    learn(db, binding_id, cards)
    return BindingId(binding_id)


def learn(db: WriteTransaction, binding_id: str, cards: Sequence[CardHash]) -> None:
    """Notes a card's hashes under every key that it was read with: how bindings move to a new key."""
    for card in cards:
        db.execute(
            "insert into binding_hashes values (:key_id, :uid_hash, :binding_id) on conflict do nothing",
            {"key_id": card.key_id, "uid_hash": card.uid_hash, "binding_id": binding_id},
        )


def end(db: WriteTransaction, binding_id: str, now_ms: int) -> None:
    """Ends a binding; actions that were made under it still name it."""
    db.execute(
        "update bindings set end_ms = :now_ms where binding_id = :binding_id and end_ms is null",
        {"now_ms": now_ms, "binding_id": binding_id},
    )


def bindings_of(db: ReadTransaction, patient_id: str) -> tuple[BindingRow, ...]:
    """A patient's bindings in force, a row for each key that the card was read with."""
    rows = db.execute(
        "select b.binding_id, h.key_id, h.uid_hash from bindings b join binding_hashes h on h.binding_id = b.binding_id"
        " where b.patient_id = :patient_id and b.end_ms is null order by b.binding_id, h.key_id",
        {"patient_id": patient_id},
    )
    return tuple(BindingRow(row["binding_id"], row["key_id"], row["uid_hash"]) for row in rows)
