"""Quarantined bodies as rows: actions that could not be read or judged, as received."""

from dataclasses import dataclass

from sync.central.store.transactions import ReadTransaction, WriteTransaction


@dataclass(frozen=True, slots=True)
class QuarantinedBody:
    """A body that came from a kiosk, its place in the kiosk's chain, its verdict and its case."""

    verdict_id: str
    exception_id: str
    kiosk_id: str
    epoch: int
    seq: int
    reason: str
    body: str


def add_quarantined_body(db: WriteTransaction, quarantined: QuarantinedBody, received_ms: int) -> None:
    """Stores a quarantined body."""
    db.execute(
        "insert into quarantine values (:verdict_id, :exception_id, :kiosk_id, :epoch, :seq, :reason, :body,"
        " :received_ms)",
        {
            "verdict_id": quarantined.verdict_id,
            "exception_id": quarantined.exception_id,
            "kiosk_id": quarantined.kiosk_id,
            "epoch": quarantined.epoch,
            "seq": quarantined.seq,
            "reason": quarantined.reason,
            "body": quarantined.body,
            "received_ms": received_ms,
        },
    )


def read_quarantined_body(db: ReadTransaction, exception_id: str) -> QuarantinedBody | None:
    """The quarantined body of a case; None for a case without one."""
    row = db.row(
        "select verdict_id, exception_id, kiosk_id, epoch, seq, reason, body from quarantine where exception_id = :id",
        id=exception_id,
    )
    return QuarantinedBody(*row) if row else None
