"""Takes a day of which a document names every booking: the others of that day are cancelled."""

from collections.abc import Collection, Iterator
from datetime import date
from time import monotonic

from msgspec.structs import replace

from sync.central.centre import Centre
from sync.central.imports.change_booking import booking_in_line, change_booking
from sync.central.imports.context import ImportContext
from sync.central.records.appointments import Withdrawn, bookings_of_day, read_booking
from sync.central.records.site import read_site
from sync.central.store.transactions import PORTION_S
from sync.journey.definitions import Definitions
from sync.journey.meaning import cancellation, is_done

MOST_SHARE = 5  # one booking in five may go without `force`: a document that lost its half is likelier


def take_complete_day(centre: Centre, day: str, named: Collection[str], *, force: bool, check: bool) -> tuple[int, str]:
    """Cancels the open bookings of a site day (ISO date) that a document does not name.

    `named` are the ids that it names. The queue entry of a booking follows, or staff get a case. Returns the number of
    cancelled bookings, and why none was; "" where they were. More than a fifth of the day's open bookings needs
    `force`. `check` writes nothing, and counts those that would be cancelled. A call that was cut off is repeated. On a
    day that has ended nothing is open. A booking that outlasted the day before is none of this day's: no document of it
    names that booking. Raises NoSite before a hospital was imported.
    """
    if not _is_day(day):
        return 0, f"{day!r} is no date, such as 2026-12-01"
    with centre.store.read() as db:
        site = read_site(db)
        found = bookings_of_day(db, day, _open_statuses(centre.definitions))
    is_over = day < site.day(centre.clock())
    open_ones = [each for each, scheduled_ms in found if site.day(scheduled_ms) == day and not is_over]
    names = frozenset(named)
    left_out = [each for each in open_ones if each not in names]
    if not force and len(left_out) * MOST_SHARE > len(open_ones):
        share = f"{len(left_out)} of {len(open_ones)} open bookings of {day} are not in the document"
        return 0, f"{share}: more than a fifth. If that is right, say --force"
    if cancellation(centre.definitions) is None:
        return 0, "the definitions of this site cancel no bookings"
    return (len(left_out) if check else _cancel(centre, day, iter(left_out))), ""


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _open_statuses(definitions: Definitions) -> list[str]:
    """The statuses of bookings that are neither done nor cancelled. A patient who missed a call may still be seen."""
    rule = cancellation(definitions)
    cancelled = rule.no_entry if rule else None
    return [each for each in definitions.appointment_states if not is_done(definitions, each) and each != cancelled]


def _cancel(centre: Centre, day: str, left_out: Iterator[str]) -> int:
    """Cancels bookings, a portion of them in each transaction. Returns their number."""
    cancelled, appointment_id = 0, next(left_out, None)
    while appointment_id is not None:
        with centre.store.write() as db:
            until = monotonic() + PORTION_S
            site, now_ms = read_site(db), centre.clock()
            today = site.day(now_ms)
            context = ImportContext(db, centre.definitions, centre.keys, site, today, now_ms, centre.ids)
            while appointment_id is not None:
                cancelled += _leave_out(context, day, appointment_id)
                appointment_id = next(left_out, None)
                if monotonic() >= until:
                    break
    return cancelled


def _leave_out(context: ImportContext, day: str, appointment_id: str) -> bool:
    """Cancels one booking. False where it is no longer open, of another day by now, or made by hand at the desk."""
    definitions, rule = context.definitions, cancellation(context.definitions)
    line = booking_in_line(context, appointment_id)
    before = read_booking(context.db, appointment_id)
    is_open = before is not None and before.status in _open_statuses(definitions)
    if before is not None and before.made_by:
        return False
    if before is None or not is_open or before.schedule.site_day != day or rule is None or rule.no_entry is None:
        return False
    change_booking(context, replace(before, status=rule.no_entry, withdrawn=Withdrawn.LEFT_OUT), before, line)
    return True
