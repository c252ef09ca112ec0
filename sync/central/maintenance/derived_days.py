"""Follows a correction of the site's time zone or of its day's start: the days of bookings are derived again."""

import logging
from datetime import date, timedelta
from time import monotonic

from sync.central.centre import Centre
from sync.central.days.derive import derive_booking
from sync.central.records.derived_days import (
    bookings_to_derive,
    days_are_derived,
    derived_until,
    end_derivation,
    note_derived,
)
from sync.central.records.site import read_site
from sync.central.store.transactions import PORTION_S

log = logging.getLogger(__name__)


def derive_days(centre: Centre, portion_s: float = PORTION_S) -> int:
    """Derives the days of the bookings from the day before yesterday on, where the clock of the site was corrected.

    Each transaction takes a portion of `portion_s` seconds, one booking at least, and notes how far it came. The next
    call continues one that was cut off. Returns the number of bookings that changed.
    """
    with centre.store.read() as db:
        if days_are_derived(db):
            return 0
        settings = read_site(db)
        first_day = date.fromisoformat(settings.day(centre.clock())) - timedelta(days=2)
        ids = bookings_to_derive(db, first_day.isoformat(), derived_until(db))
    changed, place = 0, 0
    while place < len(ids):
        with centre.store.write() as db:
            until, settings = monotonic() + portion_s, read_site(db)
            today, is_first = settings.day(centre.clock()), True
            while place < len(ids) and (is_first or monotonic() < until):
                changed += derive_booking(db, centre.definitions, settings, today, ids[place])
                place, is_first = place + 1, False
            note_derived(db, ids[place - 1])
    with centre.store.write() as db:
        if read_site(db) == settings:
            end_derivation(db, settings.site.timezone, settings.site.day_starts_at)
    log.warning("the clock of the site was corrected: %s bookings have another time or day now", changed)
    return changed
