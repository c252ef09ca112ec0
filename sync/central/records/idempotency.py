"""The answers to actions by action id: a repeat gets the stored answer, over any channel."""

from dataclasses import dataclass

from sync.central.store.transactions import ReadTransaction, WriteTransaction


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """An earlier action: the hash of its content, its outcome, and the JSON of its answer.

    `result` is None for a kiosk's action, which is answered with its verdict.
    """

    content_hash: str
    outcome: str
    result: str | None


def stored_answer(db: ReadTransaction, action_id: str) -> StoredAnswer | None:
    """The stored answer to an action; None where the action is new."""
    row = db.execute(
        "select content_hash, outcome, result from actions where action_id = :action_id", {"action_id": action_id}
    ).fetchone()
    return StoredAnswer(row["content_hash"], row["outcome"], row["result"]) if row else None


def store_answer(
    db: WriteTransaction,
    action_id: str,
    patient_id: str | None,
    action_type: str,
    source: str,
    answer: StoredAnswer,
    now_ms: int,
) -> None:
    """Stores the answer to an action, in the transaction of its effects."""
    db.execute(
        "insert into actions values (:action_id, :patient_id, :action_type, :content_hash, :source, :outcome, :result,"
        " :now_ms)",
        {
            "action_id": action_id,
            "patient_id": patient_id,
            "action_type": action_type,
            "content_hash": answer.content_hash,
            "source": source,
            "outcome": answer.outcome,
            "result": answer.result,
            "now_ms": now_ms,
        },
    )


def update_outcome(db: WriteTransaction, action_id: str, patient_id: str | None, outcome: str) -> None:
    """Replaces the outcome of an action whose verdict was revised, and the patient it is about."""
    db.execute(
        "update actions set outcome = :outcome, patient_id = :patient_id where action_id = :action_id",
        {"outcome": outcome, "patient_id": patient_id, "action_id": action_id},
    )
