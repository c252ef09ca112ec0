"""The proofs of kiosks' actions, such as the receipt of a payment, each with the visit that it counts for."""

from sync.central.store.transactions import ReadTransaction, WriteTransaction, Writing
from sync.journey.model import VisitId


def visit_of_proof(db: ReadTransaction, action: str, proof: str) -> VisitId | None:
    """The visit that a proof of this action counts for; None where it was never used."""
    row = db.row("select visit_id from proofs where action = :action and proof = :proof", action=action, proof=proof)
    return VisitId(row["visit_id"]) if row else None


def use_proof(db: WriteTransaction, action: str, proof: str, visit_id: str) -> None:
    """Notes that a proof of this action counts for a visit. The first visit of a proof stays."""
    db.write(_ADD, {"action": action, "proof": proof, "visit_id": visit_id})


_ADD = Writing("insert into proofs values (:action, :proof, :visit_id) on conflict (action, proof) do nothing")
