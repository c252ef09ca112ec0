"""The outcomes of a patient's actions that the patient is shown."""

import sqlite3
from collections.abc import Iterable

from msgspec import Struct

from kiosk.journey.transaction_context import TransactionContext
from kiosk.store import outbox_bodies
from kiosk.store.outbox import PENDING
from sync.journey.model import ActionId, Journey
from sync.protocol import Code, Intent


class Reversal(Struct, frozen=True):
    """An action that this kiosk accepted and the centre decided differently. `revision` is the verdict's.

    `queue_number` is the number that the action gave and that no longer counts; "" where it gave none, or where the
    number counts still.
    """

    action_id: ActionId
    revision: int
    action_type: str
    queue_number: str = ""


class Outcomes(Struct, frozen=True):
    """How many actions are pending, whether one waits for staff, and the reversals that the patient has not seen.

    `awaited`: one waits for the word of another system of the hospital.
    """

    pending: int
    needs_staff: bool
    awaited: bool
    reversals: tuple[Reversal, ...]


class Act(Struct, frozen=True):
    """An action of a patient in the outbox that a screen may tell of. `queue_number` is the number that it gave, where
    the centre has decided it differently. `code` is the reason beside its verdict."""

    action_id: ActionId
    action_type: str
    status: str
    site_day: str
    visit_id: str
    revision: int = 0
    seen_revision: int | None = None
    judged_ms: int | None = None
    queue_number: str = ""
    code: str | None = None

    @classmethod
    def pending(cls, intent: Intent) -> "Act":
        """Returns an action that was written just now."""
        return cls(ActionId(intent.action_id), intent.action_type, PENDING, intent.site_day, intent.visit_id)


def read_acts(db: sqlite3.Connection, patient_id: str) -> tuple[Act, ...]:
    """Returns the actions of a patient that a screen may tell of, in their order in the chain."""
    rows = db.execute(
        "select action_id, action_type, status, code, revision, seen_revision, site_day, visit_id, judged_ms, body,"
        " digest from outbox"
        " where patient_id = ? and status in ('pending', 'needs_staff', 'superseded') order by epoch, seq",
        (patient_id,),
    )
    return tuple(_act(row) for row in rows)


def outcomes_of(acts: Iterable[Act], context: TransactionContext, journey: Journey) -> Outcomes:
    """Returns the outcomes of these actions for the patient of a journey.

    Pending actions and reversals of every day count. An action that waits for staff counts where it was done today or
    in the present visit.
    """
    acts = tuple(acts)
    pending = sum(act.status == PENDING for act in acts)
    waiting = [act for act in acts if act.status == "needs_staff" and _is_current(context, journey, act)]
    needs_staff = any(act.code != Code.DECIDED_ELSEWHERE for act in waiting)
    elsewhere = context.identity.site.decided_elsewhere
    is_unsent = any(act.status == PENDING and act.action_type in elsewhere for act in acts)
    awaited = is_unsent or any(act.code == Code.DECIDED_ELSEWHERE for act in waiting)
    unseen = [act for act in acts if act.status == "superseded" and not _is_seen(act)]
    return Outcomes(pending, needs_staff, awaited, tuple(_reversal(context, journey, act) for act in unseen))


def mark_seen(db: sqlite3.Connection, reversals: Iterable[Reversal]) -> None:
    """Notes that the patient has seen these reversals. A later revision of the verdict is shown again."""
    db.executemany(
        "update outbox set seen_revision = ? where action_id = ?",
        [(reversal.revision, reversal.action_id) for reversal in reversals],
    )


def _act(row: sqlite3.Row) -> Act:
    sent = outbox_bodies.read(row) if row["status"] == "superseded" else None
    return Act(
        row["action_id"],
        row["action_type"],
        row["status"],
        row["site_day"],
        row["visit_id"],
        row["revision"],
        row["seen_revision"],
        row["judged_ms"],
        sent.queue_number if sent else "",
        row["code"],
    )


def _reversal(context: TransactionContext, journey: Journey, act: Act) -> Reversal:
    live = [entry for entry in journey.entries if entry.state in context.definitions.live]
    counts = any(act.queue_number in (entry.queue_number, *entry.label_aliases) for entry in live)
    return Reversal(act.action_id, act.revision, act.action_type, "" if counts else act.queue_number)


def _is_seen(act: Act) -> bool:
    return act.seen_revision is not None and act.seen_revision >= act.revision


def _is_current(context: TransactionContext, journey: Journey, act: Act) -> bool:
    assert act.judged_ms is not None
    # The clock was ahead at an action of a future day. The day of its verdict is used instead.
    done_on = min(act.site_day, context.day_of(act.judged_ms))
    return done_on >= context.today or act.visit_id == journey.visit_id
