"""Every action by its id, with what was answered: how a repeat is told, over whatever channel it comes."""

from dataclasses import dataclass

from sync.central.store.sqlite import ReadTransaction, WriteTransaction


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """An action that came before: of which content, and what became of it."""

    content_hash: str
    outcome: str
    result: str | None


def stored_answer(db: ReadTransaction, action_id: str) -> StoredAnswer | None:
    """What became of an action; None where it never came."""
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
    """Notes what became of an action, in the transaction that made it so."""
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
