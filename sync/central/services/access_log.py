"""The access log: which staff were told of which patients, and of how many each kiosk and integration was told.

A look that cannot be recorded raises sqlite3.OperationalError, and nothing is told then.
"""

import sqlite3
from collections.abc import Mapping

from sync.central.centre import Centre
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.looks import Look, add_look
from sync.central.records.site import SiteDay, read_site
from sync.central.records.tallies import Counted, Tally, write_tally
from sync.central.services.requester import Requester
from sync.central.services.told import Told
from sync.central.store.transactions import WriteTransaction
from sync.clock import MINUTE_MS
from sync.journey.model import Role

HOUR_MS = 60 * MINUTE_MS  # a row that counts for longer would wait as long for its block

# What kiosks are told without a count, and why.
UNRECORDED_TO_KIOSKS: Mapping[AuditKind, str] = {
    AuditKind.TOLD_VERDICTS: "a verdict is about what this kiosk did itself",
    AuditKind.LOOK_CARD: "the transaction of the look-up has written the row, since each look-up counts",
}


def record(centre: Centre, requester: Requester, told: Told) -> None:
    """Records that a requester is told of patients. Durable when it returns, or counted for the next write."""
    if requester.actor.role in (Role.KIOSK, Role.INTEGRATION):
        _count(centre, requester, told)
        return
    now_ms = centre.clock()
    look = _unrecorded(centre, requester, told, now_ms)
    if look is not None:
        with centre.store.write(brief=True) as db:
            add_look(db, look, now_ms)
        centre.looks.remember(look, now_ms)


def record_within(db: WriteTransaction, centre: Centre, requester: Requester, told: Told, now_ms: int) -> Look | None:
    """Writes the row of a look in the transaction of an action, so that the action needs no second one.

    Returns the look that the caller has remembered (`centre.looks`) after the commit; None where no row was due.
    """
    look = _unrecorded(centre, requester, told, now_ms)
    if look is not None:
        add_look(db, look, now_ms)
    return look


def write_tallies(centre: Centre) -> None:
    """Writes what was counted since the last time. Raises sqlite3.Error, and keeps the counts then."""
    counted = centre.tallies.take()
    if not counted:
        return
    try:
        with centre.store.write() as db:
            for tally, each in counted.items():
                write_tally(db, tally, each)
    except sqlite3.Error:
        centre.tallies.give_back(counted)
        raise


def _unrecorded(centre: Centre, requester: Requester, told: Told, now_ms: int) -> Look | None:
    if requester.actor.role is not Role.STAFF or not told.patients:
        return None
    look = Look(requester.who, told.kind, requester.channel, requester.address, told.patients)
    return centre.looks.unrecorded(look, now_ms)


def _count(centre: Centre, requester: Requester, told: Told) -> None:
    """Counts the patients of a page for the row of the kiosk or integration and the hour of the day."""
    if told.kind in UNRECORDED_TO_KIOSKS or not told.patients:
        return
    now_ms = centre.clock()
    day = told.day or _day_of(centre, now_ms)
    detail = {"from": requester.address, "day": day.day}
    begin_ms = max(day.begin_ms, now_ms - now_ms % HOUR_MS)
    tally = Tally(told.kind, requester.who, begin_ms, begin_ms + HOUR_MS, (day.day,))
    centre.tallies.add(tally, Counted(len(told.patients), now_ms, detail))


def _day_of(centre: Centre, now_ms: int) -> SiteDay:
    with centre.store.glance() as db:
        return read_site(db).site_day(now_ms)
