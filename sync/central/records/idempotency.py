"""The answers to actions by action id: a repeat gets the stored answer, over any channel."""

from collections.abc import Collection

import msgspec

from sync.central.records.parts import Part
from sync.central.store.set_transaction import SetTransaction
from sync.central.store.transactions import UNREAD, Question, ReadTransaction, WriteTransaction, Writing, each_of


class StoredAnswer(msgspec.Struct, frozen=True):
    """An earlier action: the hash of its content, its outcome, and the JSON of its answer.

    `result` is None for a kiosk's action, which is answered with its verdict.
    """

    content_hash: str
    outcome: str
    result: str | None


# The columns are those of `StoredAnswer`, in their order.
ANSWERS = Part("answer", ("content_hash", "outcome", "result"))


def stored_answer(db: ReadTransaction, action_id: str) -> StoredAnswer | None:
    """The stored answer to an action; None where the action is new."""
    known = db.known(_ANSWER, action_id)
    if known is not UNREAD:
        return known
    row = db.execute(
        "select content_hash, outcome, result from actions where action_id = :action_id", {"action_id": action_id}
    ).fetchone()
    return StoredAnswer(row["content_hash"], row["outcome"], row["result"]) if row else None


def read_answers_ahead(db: SetTransaction, action_ids: Collection[str]) -> None:
    """Reads the stored answers to a set of actions."""
    names, parameters = each_of("action", action_ids)
    query = f"select action_id, content_hash, outcome, result from actions where action_id in {names}"  # noqa: S608
    answers = {action_id: StoredAnswer(*answer) for action_id, *answer in db.rows(query, **parameters)}
    db.read_ahead(_ANSWER, dict.fromkeys(action_ids) | answers)


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
    db.learn(_ANSWER, action_id, answer)
    db.write(
        _ADD,
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


_ANSWER: Question[str, StoredAnswer | None] = Question()
_ADD = Writing(
    "insert into actions values (:action_id, :patient_id, :action_type, :content_hash, :source, :outcome, :result,"
    " :now_ms)"
)
