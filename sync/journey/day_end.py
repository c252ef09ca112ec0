"""The end of the site's day. Pure, as the rules are."""

from msgspec.structs import replace

from sync.journey.bookings import agrees, booking_of
from sync.journey.definitions import Definitions
from sync.journey.model import (
    Appointment,
    AppointmentChange,
    BuiltIn,
    Decision,
    EntryChange,
    Journey,
    QueueEntry,
    Transition,
    Trigger,
)


def close_day(definitions: Definitions, journey: Journey, site_day: str) -> Decision:
    """The end of the site's day: the journey starts afresh on `site_day`, live entries end, bookings lapse.

    A patient who is being seen, whose exam is marked overnight, or whose booking can be used on the new day too, keeps
    the state. So does the patient's entry. The journey keeps the bookings that can still be used, or whose entry stays.
    """
    staying = tuple(entry for entry in journey.entries if _stays(definitions, journey, entry, site_day))
    closed, changes, lapsed = _close_entries(definitions, journey, site_day)
    kept_bookings = tuple(each for each in journey.appointments if _is_kept(definitions, journey, each, site_day))
    if journey.current in staying:
        kept = replace(journey, site_day=site_day, entries=staying, appointments=kept_bookings)
        return Decision(_next(kept), (), changes, lapsed)
    after = Journey(
        journey.patient_id,
        definitions.initial,
        site_day,
        journey_version=journey.journey_version,
        entries=staying,
        appointments=kept_bookings,
    )
    moved = journey.state != definitions.initial
    row = Transition(journey.state, BuiltIn.CLOSE_DAY, definitions.initial, Trigger.SYSTEM_AUTO)
    return Decision(_next(after) if moved or closed else after, (row,) if moved else (), changes, lapsed)


def outlasts_day(definitions: Definitions, entry: QueueEntry) -> bool:
    """Whether a live entry goes on after the end of any day: its patient is being seen, or its exam is overnight."""
    return entry.state in definitions.live and (entry.state in definitions.day_end.entries_stay or entry.overnight)


def _stays(definitions: Definitions, journey: Journey, entry: QueueEntry, site_day: str) -> bool:
    if outlasts_day(definitions, entry):
        return True
    booking = booking_of(journey, entry)
    return entry.state in definitions.live and booking is not None and _outlasts(definitions, booking, site_day)


def _outlasts(definitions: Definitions, booking: Appointment, site_day: str) -> bool:
    """Whether a booking that has not come to its end can be used on this later day as well."""
    return booking.last_day >= site_day and booking.status in definitions.day_end.appointments_from


def _close_entries(
    definitions: Definitions, journey: Journey, site_day: str
) -> tuple[bool, tuple[EntryChange, ...], tuple[AppointmentChange, ...]]:
    end = definitions.day_end
    changes = tuple(
        EntryChange(e.queue_id, e.state, end.entries_to, BuiltIn.CLOSE_DAY)
        for e in journey.entries
        if e.state in definitions.live and not _stays(definitions, journey, e, site_day) and e.state != end.entries_to
    )
    lapsed = tuple(
        AppointmentChange(a.appointment_id, a.status, end.appointments_to)
        for a in journey.appointments
        if a.status in end.appointments_from and not _is_kept(definitions, journey, a, site_day)
    )
    return bool(changes or lapsed), changes, lapsed


def _is_kept(definitions: Definitions, journey: Journey, booking: Appointment, site_day: str) -> bool:
    """Whether a booking can be used on the new day too, or is that of an entry that stays."""
    if _outlasts(definitions, booking, site_day):
        return True
    its_own = (e for e in journey.entries if e.appointment_id == booking.appointment_id)
    staying = (e for e in its_own if _stays(definitions, journey, e, site_day))
    return any(agrees(definitions, booking, e, e.state) for e in staying)


def _next(journey: Journey) -> Journey:
    return replace(journey, journey_version=journey.journey_version + 1)
