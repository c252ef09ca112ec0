"""What the centre does by itself: ends the site's day, sets right what a wrong clock did, forgets what the audit
need not keep any longer, and keeps the marker of a restored database up to date.

One step and a driver. A step that fails is logged and tried again at the next tick.
"""

import logging
import threading

from sync.central.centre import Centre
from sync.central.maintenance.incarnation import keep_marker
from sync.central.records.audit import KEPT_DAYS, forget_old
from sync.central.records.future_days import misdated, set_right
from sync.central.records.journeys import day_end, open_journey, touch
from sync.central.records.site import NoSite, read_site
from sync.central.store.sqlite import ReadTransaction, any_of
from sync.journey.definitions import Definitions

log = logging.getLogger(__name__)

TICK_S = 10.0
_AT_ONCE = 100


class Housekeeping:
    """The thread that ticks, from `start()` to `stop()`."""

    def __init__(self, centre: Centre, tick_s: float = TICK_S, audit_days: int = KEPT_DAYS) -> None:
        """The audit is kept for `audit_days`."""
        self._centre = centre
        self._audit_days = audit_days
        self._tick_s = tick_s
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="background", daemon=True)
        self._closed_until = ""

    def start(self) -> None:
        """Starts ticking; the first tick is now."""
        self._thread.start()

    def stop(self) -> None:
        """Ends it, after the step under way."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._tick()
            except Exception:
                log.exception("a background step failed; it is tried again")
            self._stopped.wait(self._tick_s)

    def _tick(self) -> None:
        keep_marker(self._centre.store)
        with self._centre.store.read() as db:
            try:
                today = read_site(db).day(self._centre.clock())
            except NoSite:
                return
        if today != self._closed_until:
            set_days_right(self._centre, today)
            close_days(self._centre, today)
            forget_old(self._centre.store, self._centre.clock(), self._audit_days)
            self._closed_until = today


def close_days(centre: Centre, today: str) -> int:
    """Ends every day before `today`, a hundred patients a transaction. Returns how many patients it concerned."""
    done = 0
    while True:
        with centre.store.write() as db:
            overdue = _overdue(db, centre.definitions, today)
            provenance = day_end(centre.clock())
            for patient_id in overdue:
                open_journey(db, centre.definitions, patient_id, today, provenance)
        done += len(overdue)
        if not overdue:
            return done


def set_days_right(centre: Centre, today: str) -> int:
    """Takes what was written under days to come, by a clock that was ahead, as of today, a hundred patients a
    transaction. Returns how many patients it concerned."""
    done = 0
    while True:
        with centre.store.write() as db:
            found = misdated(db, centre.definitions, today, _AT_ONCE)
            for patient_id in found:
                set_right(db, centre.definitions, patient_id, today, centre.ids(), centre.clock())
                touch(db, patient_id)
        done += len(found)
        if not found:
            if done:
                log.warning("the clock had been ahead: what it did to %s patients was set right", done)
            return done


def _overdue(db: ReadTransaction, definitions: Definitions, today: str) -> list[str]:
    """Patients whose day has ended and for whom that changes something."""
    live, live_states = any_of("live", definitions.live)
    lapsing, lapsing_statuses = any_of("status", definitions.day_end.appointments_from)
    rows = db.execute(
        "select j.patient_id from journeys j where j.site_day < :today and (j.state <> :initial"  # noqa: S608
        " or exists (select 1 from entries e where e.patient_id = j.patient_id and e.site_day = j.site_day"
        f" and e.state in {live})"
        " or exists (select 1 from appointments a where a.patient_id = j.patient_id and a.site_day < :today"
        f" and a.status in {lapsing})) order by j.patient_id limit :limit",
        {"today": today, "initial": definitions.initial, "limit": _AT_ONCE, **live_states, **lapsing_statuses},
    )
    return [row["patient_id"] for row in rows]
