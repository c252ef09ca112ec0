"""What has become of a patient's actions, as far as the person who did them is concerned."""

import sqlite3
from dataclasses import dataclass

from kiosk.moment import Moment
from sync.journey.model import Journey


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How many actions are pending, whether one waits for staff, whether one was decided otherwise at the centre."""

    pending: int
    needs_staff: bool
    reversed: bool


def outcomes(db: sqlite3.Connection, now: Moment, journey: Journey) -> Outcomes:
    """Those of the patient of a journey, as it stands today. What is pending counts whenever it was done; what is
    judged, where it was done today or in the visit that they are on."""
    rows = db.execute(
        "select status, site_day, visit_id, judged_ms from outbox"
        " where patient_id = ? and status in ('pending', 'needs_staff', 'superseded')",
        (journey.patient_id,),
    ).fetchall()
    concerning = {row["status"] for row in rows if row["judged_ms"] is not None and _concerns(now, journey, row)}
    pending = sum(row["status"] == "pending" for row in rows)
    return Outcomes(pending, "needs_staff" in concerning, "superseded" in concerning)


def _concerns(now: Moment, journey: Journey, row: sqlite3.Row) -> bool:
    # Done under a clock that was ahead, it was done on a day that has not come: it was judged in time.
    done_on = min(row["site_day"], now.day_of(row["judged_ms"]))
    return done_on >= now.today or bool(row["visit_id"] == journey.visit_id)
