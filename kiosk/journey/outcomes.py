"""The outcomes of a patient's actions that the patient is shown."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from kiosk.journey.transaction_context import TransactionContext
from kiosk.store import outbox_bodies
from sync.journey.model import ActionId, Journey


@dataclass(frozen=True, slots=True)
class Reversal:
    """An action that this kiosk accepted and the centre decided differently. `revision` is the verdict's.

    `queue_number` is the number that the action gave and that no longer counts; "" where it gave none, or where the
    number counts still.
    """

    action_id: ActionId
    revision: int
    action_type: str
    queue_number: str = ""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How many actions are pending, whether one waits for staff, and the reversals that the patient has not seen."""

    pending: int
    needs_staff: bool
    reversals: tuple[Reversal, ...]


def read_outcomes(db: sqlite3.Connection, context: TransactionContext, journey: Journey) -> Outcomes:
    """Returns the outcomes for the patient of a journey.

    Pending actions and reversals of every day count. An action that waits for staff counts where it was done today or
    in the present visit.
    """
    rows = db.execute(
        "select action_id, action_type, status, revision, seen_revision, site_day, visit_id, judged_ms, body, digest"
        " from outbox"
        " where patient_id = ? and status in ('pending', 'needs_staff', 'superseded') order by epoch, seq",
        (journey.patient_id,),
    ).fetchall()
    pending = sum(row["status"] == "pending" for row in rows)
    needs_staff = any(row["status"] == "needs_staff" and _is_current(context, journey, row) for row in rows)
    unseen = [row for row in rows if row["status"] == "superseded" and not _is_seen(row)]
    return Outcomes(pending, needs_staff, tuple(_reversal(context, journey, row) for row in unseen))


def mark_seen(db: sqlite3.Connection, reversals: Iterable[Reversal]) -> None:
    """Notes that the patient has seen these reversals. A later revision of the verdict is shown again."""
    db.executemany(
        "update outbox set seen_revision = ? where action_id = ?",
        [(reversal.revision, reversal.action_id) for reversal in reversals],
    )


def _reversal(context: TransactionContext, journey: Journey, row: sqlite3.Row) -> Reversal:
    sent = outbox_bodies.read(row)
    number = sent.queue_number if sent else ""
    live = [entry for entry in journey.entries if entry.state in context.definitions.live]
    counts = any(number in (entry.queue_number, *entry.label_aliases) for entry in live)
    return Reversal(row["action_id"], row["revision"], row["action_type"], "" if counts else number)


def _is_seen(row: sqlite3.Row) -> bool:
    return row["seen_revision"] is not None and row["seen_revision"] >= row["revision"]


def _is_current(context: TransactionContext, journey: Journey, row: sqlite3.Row) -> bool:
    # The clock was ahead at an action of a future day. The day of its verdict is used instead.
    done_on = min(row["site_day"], context.day_of(row["judged_ms"]))
    return done_on >= context.today or bool(row["visit_id"] == journey.visit_id)
