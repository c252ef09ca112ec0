"""Quarantined bodies as rows: actions that could not be read or judged, as received."""

from dataclasses import dataclass

from sync.central.store.transactions import ReadTransaction, WriteTransaction, Writing


@dataclass(frozen=True, slots=True)
class QuarantinedBody:
    """A body that came from a kiosk, its place in the kiosk's chain, its verdict and its case.

    `action_id` is the id by which the kiosk knows it, where that is a UUID.
    """

    verdict_id: str
    exception_id: str
    kiosk_id: str
    epoch: int
    seq: int
    reason: str
    body: str
    action_id: str | None = None


def add_quarantined_body(db: WriteTransaction, quarantined: QuarantinedBody, received_ms: int) -> None:
    """Stores a quarantined body."""
    db.write(
        _ADD,
        {
            "verdict_id": quarantined.verdict_id,
            "exception_id": quarantined.exception_id,
            "kiosk_id": quarantined.kiosk_id,
            "epoch": quarantined.epoch,
            "seq": quarantined.seq,
            "reason": quarantined.reason,
            "body": quarantined.body,
            "received_ms": received_ms,
            "action_id": quarantined.action_id,
        },
    )


def read_quarantined_body(db: ReadTransaction, exception_id: str) -> QuarantinedBody | None:
    """The first quarantined body of a case; None for a case without one."""
    row = db.row(f"{_OF_CASE} order by received_ms, epoch, seq limit 1", id=exception_id)
    return QuarantinedBody(*row) if row else None


def quarantined_verdicts(db: ReadTransaction, exception_id: str) -> list[str]:
    """The ids of the verdicts on all quarantined bodies of a case, in the order of receipt."""
    rows = db.rows(f"{_OF_CASE} order by received_ms, epoch, seq", id=exception_id)
    return [row["verdict_id"] for row in rows]


_ADD = Writing(
    "insert into quarantine values (:verdict_id, :exception_id, :kiosk_id, :epoch, :seq, :reason, :body,"
    " :received_ms, :action_id)"
)
_OF_CASE = (
    "select verdict_id, exception_id, kiosk_id, epoch, seq, reason, body, action_id from quarantine"
    " where exception_id = :id"
)
