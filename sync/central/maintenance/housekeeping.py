"""The centre's background work: derives days again and ends them, corrects rows of a wrong clock, deletes old rows of
the audit, old reports of imports and old words, ends the waits for the hospital's other system, updates the marker,
writes what the audit counts, seals it, goes on with a rotation of the card keys.

One step and a driver. A step that fails is logged, and tried again at the next tick.
"""

import logging
import sqlite3
import threading
from collections.abc import Callable, Sequence

from sync.central.centre import Centre
from sync.central.days.future_days import correct_future_days, is_of_future_days, patients_of_future_days
from sync.central.days.open_journey import open_journey
from sync.central.maintenance.card_rotation import walk_on
from sync.central.maintenance.derived_days import derive_days
from sync.central.maintenance.incarnation import update_marker
from sync.central.maintenance.log_sealing import delete_old_blocks, seal_log, tell_head
from sync.central.maintenance.log_verifying import verify_when_due
from sync.central.records.account_sessions import delete_ended_account_tokens
from sync.central.records.appointments import late_bookings, set_appointment_status
from sync.central.records.audit_kinds import KEPT_DAYS
from sync.central.records.desk_cards import delete_old_desk_cards
from sync.central.records.document_imports import delete_old_imports
from sync.central.records.history import day_end
from sync.central.records.journeys import mark_changed, patients_of_ended_days
from sync.central.records.presses import delete_old_presses
from sync.central.records.sessions import delete_ended_sessions
from sync.central.records.shadow_words import delete_old_words
from sync.central.records.sign_ins import delete_old_failures
from sync.central.records.site import NoSite, read_site
from sync.central.records.visit_tokens import delete_old_visit_tokens
from sync.central.services.access_log import write_tallies
from sync.central.services.settle_waits import settle_waits
from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.clock import local_ms
from sync.journey.grace import lapsed_before_ms

log = logging.getLogger(__name__)

TICK_S = 10.0
_AT_ONCE = 100  # patients a transaction, so that it takes 50 ms at most


class Housekeeping:
    """The thread that does a step every `tick_s` seconds, from `start()` to `stop()`.

    Of the services of one database, one works on the database. Each writes what it has counted itself.
    """

    def __init__(
        self, centre: Centre, tick_s: float = TICK_S, audit_days: int = KEPT_DAYS, *, is_main: bool = True
    ) -> None:
        """Audit rows are kept for `audit_days`. The service that `is_main` on its host looks after the marker there."""
        self._is_main = is_main
        self._centre = centre
        self._audit_days = audit_days
        self._tick_s = tick_s
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="background", daemon=True)
        self._closed_until = ""

    def start(self) -> None:
        """Starts the thread. The first step is done at once."""
        self._thread.start()

    def stop(self) -> None:
        """Stops the thread after the transaction under way, writes what the audit has counted, and seals it."""
        self._stopped.set()
        self._thread.join()
        _try(self._write_tallies)
        if self._centre.store.leads():
            _try(self._seal_all)

    def _run(self) -> None:
        while not self._stopped.is_set():
            _try(self._write_tallies)
            if self._is_main:
                _try(self._update_marker)
            if self._centre.store.leads():
                _try(self._seal)
                _try(self._tick)
                _try(self._verify)
            self._stopped.wait(self._tick_s)

    def _write_tallies(self) -> None:
        write_tallies(self._centre)

    def _seal(self) -> None:
        seal_log(self._centre, self._stopped.is_set)

    def _seal_all(self) -> None:
        seal_log(self._centre, at_once=True)

    def _verify(self) -> None:
        verify_when_due(self._centre, self._stopped.is_set)

    def _update_marker(self) -> None:
        update_marker(self._centre.store)

    def _tick(self) -> None:
        walk_on(self._centre, self._stopped.is_set)
        with self._centre.store.read() as db:
            try:
                today = read_site(db).day(self._centre.clock())
            except NoSite:
                return
        derive_days(self._centre)
        lapse_late_bookings(self._centre)
        settle_waits(self._centre)
        if today != self._closed_until:
            correct_all_future_days(self._centre, today, self._stopped.is_set)
            close_days(self._centre, today, self._stopped.is_set)
            now_ms = self._centre.clock()
            delete_old_blocks(self._centre, self._audit_days)
            tell_head(self._centre)
            delete_old_words(self._centre.store, now_ms)
            with self._centre.store.write(brief=True) as db:
                delete_ended_sessions(db, now_ms)
                delete_ended_account_tokens(db, now_ms)
                delete_old_failures(db, now_ms)
                delete_old_visit_tokens(db, now_ms)
                delete_old_imports(db, now_ms)
                delete_old_desk_cards(db, now_ms)
                delete_old_presses(db, today)
            self._closed_until = today


def _try(step: Callable[[], None]) -> None:
    try:
        step()
    except sqlite3.OperationalError as error:
        log.warning("a background step met a busy or failing database, and is tried again: %s", error)
    except Exception:
        log.exception("a background step failed; it is tried again")


def close_days(centre: Centre, today: str, is_stopped: Callable[[], bool] = lambda: False) -> int:
    """Ends every day before `today`, unless it is stopped. Returns the number of patients concerned."""

    def close(db: WriteTransaction, patient_id: str) -> None:
        open_journey(db, centre.definitions, patient_id, today, day_end(centre.clock()))

    return _in_portions(centre, lambda db: patients_of_ended_days(db, centre.definitions, today), close, is_stopped)


def lapse_late_bookings(centre: Centre) -> int:
    """Ends the bookings of yesterday's last hours that nobody has used in time, a hundred in a transaction.

    Returns their number.
    """
    definitions, done = centre.definitions, 0
    while True:
        with centre.store.write() as db:
            settings, now_ms = read_site(db), centre.clock()
            today, site = settings.day(now_ms), settings.site
            starts_ms = local_ms(today, site.day_starts_at, site.timezone)
            before_ms = min(starts_ms, lapsed_before_ms(now_ms))
            late = late_bookings(db, today, before_ms, definitions.open_appointments, _AT_ONCE)
            for appointment_id, patient_id in late:
                set_appointment_status(db, [appointment_id], definitions.day_end.appointments_to)
                mark_changed(db, patient_id)
        done += len(late)
        if not late:
            return done


def correct_all_future_days(centre: Centre, today: str, is_stopped: Callable[[], bool] = lambda: False) -> int:
    """Moves rows that a clock ahead of time wrote under later days to `today`, unless it is stopped.

    Returns the number of patients concerned.
    """

    def correct(db: WriteTransaction, patient_id: str) -> None:
        # An action may have corrected the patient's rows since they were found.
        if is_of_future_days(db, centre.definitions, patient_id, today):
            correct_future_days(db, centre.definitions, patient_id, today, centre.ids(), centre.clock())
            mark_changed(db, patient_id)

    done = _in_portions(centre, lambda db: patients_of_future_days(db, centre.definitions, today), correct, is_stopped)
    if done:
        log.warning("the clock had been ahead: the rows of %s patients were moved to today", done)
    return done


def _in_portions(
    centre: Centre,
    find: Callable[[ReadTransaction], Sequence[str]],
    change: Callable[[WriteTransaction, str], None],
    is_stopped: Callable[[], bool],
) -> int:
    """Changes all patients who are found, until none is left or it is stopped. Returns their number.

    They are found in a view that holds up no writer, and all at once: a walk over every patient for each portion would
    grow with the square of their number. A portion is one transaction.
    """
    done = 0
    while True:
        with centre.store.read() as view:
            found = find(view)
        if not found:
            return done
        for start in range(0, len(found), _AT_ONCE):
            if is_stopped():
                return done
            portion = found[start : start + _AT_ONCE]
            with centre.store.write() as db:
                for patient_id in portion:
                    change(db, patient_id)
            done += len(portion)
