"""Runs the health check by itself, every quarter of an hour, in one of the services of the database."""

import logging
import random
import sqlite3
import threading
import time

from sync.central.centre import Centre
from sync.central.maintenance.health import check
from sync.central.records.last_check import LastCheck, read_last_check, write_last_check
from sync.central.records.site import today_or_none
from sync.clock import MINUTE_MS

log = logging.getLogger(__name__)

EVERY_MS = 15 * MINUTE_MS
SPREAD = 0.1  # of the time between two checks: the services of several hospitals share a machine, or a database server
TICK_S = 10.0


class HealthSchedule:
    """The thread that checks, from `start()` to `stop()`. It waits for a check under way."""

    def __init__(self, centre: Centre, tick_s: float = TICK_S, chance: random.Random | None = None) -> None:
        self._centre = centre
        self._tick_s = tick_s
        self._chance = chance or random.Random()  # noqa: S311 - the spread is no secret
        self._wait_ms = self._next_wait_ms()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="health check", daemon=True)

    def start(self) -> None:
        """Starts the thread. Where the last check is old, the first one begins at once."""
        self._thread.start()

    def stop(self) -> None:
        """Stops the thread."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                if self._centre.store.leads() and self._is_due():
                    run_check(self._centre)
                    self._wait_ms = self._next_wait_ms()
            except sqlite3.OperationalError as error:
                log.warning("the health check met a busy or failing database, and is tried again: %s", error)
            except Exception:
                log.exception("the health check failed; it is tried again")
            self._stopped.wait(self._tick_s)

    def _is_due(self) -> bool:
        with self._centre.store.glance() as db:
            last = read_last_check(db)
        # A clock that was put back must not put off the next check.
        return last is None or abs(self._centre.clock() - last.ended_ms) >= self._wait_ms

    def _next_wait_ms(self) -> float:
        return EVERY_MS * self._chance.uniform(1 - SPREAD, 1 + SPREAD)


def run_check(centre: Centre) -> LastCheck:
    """Checks now, and stores the result. Logs where the health has turned. Raises sqlite3.Error."""
    began_s = time.monotonic()
    with centre.store.read() as db:
        before = read_last_check(db)
        found = check(db, centre.definitions, today_or_none(db, centre.clock())).found
    result = LastCheck(centre.clock(), round((time.monotonic() - began_s) * 1000), found)
    with centre.store.write() as db:
        write_last_check(db, result)
    if not result.ok and (before is None or before.found != found):
        named = ", ".join(f"{number} {kind}" for kind, number in found.items() if number)
        log.error("the health check finds: %s; kiosk-central check lists them", named)
    elif result.ok and before is not None and not before.ok:
        log.info("the health check finds nothing any more")
    return result
