"""Cards bound to patients: a keyed hash of the card, a patient, a beginning and an end."""

from collections.abc import Sequence
from dataclasses import dataclass

from sync.cards import CardHash
from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.journey.model import BindingId, PatientId
from sync.protocol import BindingRow


@dataclass(frozen=True, slots=True)
class CardBinding:
    """A binding in force: the patient who holds the card, and the binding's id."""

    patient_id: PatientId
    binding_id: BindingId


def binding_of_card(db: ReadTransaction, cards: Sequence[CardHash]) -> CardBinding | None:
    """The binding in force of a card, given as its hash under each key; None for a card that is not bound."""
    for card in cards:
        row = db.execute(
            "select b.patient_id, b.binding_id from binding_hashes h join bindings b on b.binding_id = h.binding_id"
            " where h.key_id = :key_id and h.uid_hash = :uid_hash and b.end_ms is null",
            {"key_id": card.key_id, "uid_hash": card.uid_hash},
        ).fetchone()
        if row is not None:
            return CardBinding(PatientId(row["patient_id"]), BindingId(row["binding_id"]))
    return None


def was_bound_to(db: ReadTransaction, patient_id: str, cards: Sequence[CardHash]) -> bool:
    """Whether the card is or was bound to this patient."""
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


def key_ids_in_use(db: ReadTransaction) -> set[str]:
    """The ids of the keys under which cards were ever bound."""
    return {row["key_id"] for row in db.rows("select distinct key_id from binding_hashes")}


def bind(db: WriteTransaction, patient_id: str, cards: Sequence[CardHash], binding_id: str, now_ms: int) -> BindingId:
    """Binds a card to a patient, ends its earlier binding, and returns the binding in force.

    A card that the patient holds already keeps its binding and gets its hashes under newer keys. The caller gives the
    patients concerned a new change number.
    """
    before = binding_of_card(db, cards)
    if before is not None and before.patient_id == patient_id:
        add_hashes(db, before.binding_id, cards)
        return before.binding_id
    if before is not None:
        end_binding(db, before.binding_id, now_ms)
    db.execute(
        "insert into bindings values (:binding_id, :patient_id, :now_ms, null)",
        {"binding_id": binding_id, "patient_id": patient_id, "now_ms": now_ms},
    )
    add_hashes(db, binding_id, cards)
    return BindingId(binding_id)


def add_hashes(db: WriteTransaction, binding_id: str, cards: Sequence[CardHash]) -> None:
    """Adds a card's hashes under every key that it was read with. So bindings move to a new key."""
    for card in cards:
        db.execute(
            "insert into binding_hashes values (:key_id, :uid_hash, :binding_id) on conflict do nothing",
            {"key_id": card.key_id, "uid_hash": card.uid_hash, "binding_id": binding_id},
        )


def end_binding(db: WriteTransaction, binding_id: str, now_ms: int) -> None:
    """Ends a binding. Its row stays: actions that were made under it still name it."""
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
