"""What has become of a patient's actions, as far as the person who did them is concerned."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from kiosk.journey.moment import TransactionContext
from sync.journey.model import ActionId, Journey


@dataclass(frozen=True, slots=True)
class Reversal:
    """An action that the centre decided otherwise, by the verdict of that revision."""

    action_id: ActionId
    revision: int


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How many actions are pending, whether one waits for staff, and which reversals the person has not seen yet."""

    pending: int
    needs_staff: bool
    reversals: tuple[Reversal, ...]


def outcomes(db: sqlite3.Connection, now: TransactionContext, journey: Journey) -> Outcomes:
    """Those of the patient of a journey, as it stands today. What is pending counts, and what was reversed is to be
    told, whenever it was done; what waits for staff, where it was done today or in the visit that they are on."""
    rows = db.execute(
        "select action_id, status, revision, seen, site_day, visit_id, judged_ms from outbox"
        " where patient_id = ? and status in ('pending', 'needs_staff', 'superseded') order by epoch, seq",
        (journey.patient_id,),
    ).fetchall()
    pending = sum(row["status"] == "pending" for row in rows)
    needs_staff = any(row["status"] == "needs_staff" and _concerns(now, journey, row) for row in rows)
    unseen = [row for row in rows if row["status"] == "superseded" and not _was_seen(row)]
    return Outcomes(pending, needs_staff, tuple(Reversal(row["action_id"], row["revision"]) for row in unseen))


def seen(db: sqlite3.Connection, reversals: Iterable[Reversal]) -> None:
    """The person was told of these. Another revision of the verdict is news again."""
    db.executemany("update outbox set seen = ? where action_id = ?", [(r.revision, r.action_id) for r in reversals])


def _was_seen(row: sqlite3.Row) -> bool:
    return row["seen"] is not None and row["seen"] >= row["revision"]


def _concerns(now: TransactionContext, journey: Journey, row: sqlite3.Row) -> bool:
    # Done under a clock that was ahead, it was done on a day that has not come: it was judged in time.
    done_on = min(row["site_day"], now.day_of(row["judged_ms"]))
    return done_on >= now.today or bool(row["visit_id"] == journey.visit_id)
