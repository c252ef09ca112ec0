"""The events of the feed: what happened to patients and their queue entries, in the hospital's own ids."""

import hashlib
from collections.abc import Mapping
from enum import StrEnum

import msgspec

from sync.central.records.event_rows import EntryRow, EventRow, HistoryPlace, JourneyRow, MergeRow
from sync.central.records.site import SiteSettings
from sync.clock import iso
from sync.journey.definitions import Definitions
from sync.journey.model import EntryEvent, Role, Trigger


class EventType(StrEnum):
    """What happened."""

    ARRIVED = "arrived"
    NUMBER_GIVEN = "number_given"
    CALLED = EntryEvent.CALLED
    STARTED = EntryEvent.STARTED
    COMPLETED = EntryEvent.COMPLETED
    NO_SHOW = EntryEvent.NO_SHOW
    CANCELLED = EntryEvent.CANCELLED
    CORRECTED = "corrected"


class Origin(StrEnum):
    """Who caused an event. `api`: an app or a program of staff, where the history does not tell which.

    `hospital`: an import, a word of the hospital's other system, or a row of the system that was here before.
    """

    KIOSK = "kiosk"
    STAFF = "staff"
    PATIENT = "patient"
    API = "api"
    HOSPITAL = "hospital"
    CENTRE = "centre"


class EventEntry(msgspec.Struct, frozen=True):
    """The queue entry of an event. `state` is the one after the event, all others are the present ones.

    `other_numbers` were printed for the same place.
    """

    queue_id: str
    exam_id: str
    appointment_id: str | None
    queue_number: str
    other_numbers: tuple[str, ...]
    room: str
    state: str


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event. `time` is when it happened, `recorded` when the centre took it: a kiosk without a network is late.

    `id` stays the same however often the event is told. `corrects` is the id of the last event about the same entry, or
    about the arrival, that no longer holds. `journey_state` comes with `arrived`, and where the journey was set right.
    `merged_patient_id`: all that was told of this patient is now told of `patient_id`.
    """

    id: str
    type: EventType
    time: str
    recorded: str
    patient_id: str
    visit_id: str | None = None
    origin: Origin
    kiosk_id: str | None = None
    corrects: str | None = None
    journey_state: str | None = None
    merged_patient_id: str | None = None
    entry: EventEntry | None = None


def event_of(definitions: Definitions, site: SiteSettings, row: EventRow) -> Event:
    """The event that a row of the history is told as."""
    if isinstance(row, MergeRow):
        return _merge(site, row)
    return _journey(site, row) if isinstance(row, JourneyRow) else _entry(definitions, site, row)


def event_id(place: HistoryPlace) -> str:
    """The id of the event of a row.

    A restored database gives the numbers of lost changes again, so the id is made of more than the place.
    """
    named = msgspec.json.encode([place.change, place.position, place.record, place.recorded_ms])
    return f"evt_{hashlib.sha256(named).hexdigest()[:32]}"


def _merge(site: SiteSettings, row: MergeRow) -> Event:
    at = iso(row.place.recorded_ms, site.site.timezone)
    return Event(
        id=event_id(row.place),
        type=EventType.CORRECTED,
        time=at,
        recorded=at,
        patient_id=row.patient_id,
        origin=Origin.STAFF,
        merged_patient_id=row.place.record,
    )


def _journey(site: SiteSettings, row: JourneyRow) -> Event:
    origin = _CHANNELS.get(row.source, Origin.KIOSK)
    if row.trigger_type == Trigger.STAFF_ACTION and origin is not Origin.HOSPITAL:
        origin = Origin.STAFF
    return Event(
        id=event_id(row.place),
        type=EventType.CORRECTED if row.sets_right else EventType.ARRIVED,
        time=iso(row.happened_ms, site.site.timezone),
        recorded=iso(row.place.recorded_ms, site.site.timezone),
        patient_id=row.patient_id,
        visit_id=row.visit_id,
        origin=origin,
        kiosk_id=row.source if origin is Origin.KIOSK else None,
        corrects=event_id(row.before) if row.before and row.sets_right else None,
        journey_state=row.state,
    )


def _entry(definitions: Definitions, site: SiteSettings, row: EntryRow) -> Event:
    kind = _kind(definitions, row)
    # A row that was migrated has a name of the old system, whatever that is.
    others = Origin.KIOSK if row.by_kiosk else Origin.HOSPITAL
    origin = _ACTORS.get(row.who.partition(":")[0], others)
    return Event(
        id=event_id(row.place),
        type=kind,
        time=iso(row.happened_ms, site.site.timezone),
        recorded=iso(row.place.recorded_ms, site.site.timezone),
        patient_id=row.patient_id,
        visit_id=row.visit_id,
        origin=origin,
        kiosk_id=row.who if origin is Origin.KIOSK else None,
        corrects=event_id(row.before) if row.before and kind is EventType.CORRECTED else None,
        entry=EventEntry(
            row.place.record,
            row.exam_id,
            row.appointment_id,
            row.queue_number,
            row.other_numbers,
            row.room,
            row.state,
        ),
    )


def _kind(definitions: Definitions, row: EntryRow) -> EventType:
    if row.previous is None:
        return EventType.NUMBER_GIVEN
    if row.sets_right or (row.previous == row.state and not row.is_call):
        return EventType.CORRECTED
    # Back in the line, and in a state of a site's own, the entry is as `state` says it.
    return EventType(definitions.queue_to_event.get(row.state, EventType.CORRECTED))


_CHANNELS: Mapping[str, Origin] = {
    "rest": Origin.API,
    "websocket": Origin.API,
    "desk": Origin.STAFF,
    "centre": Origin.CENTRE,
    Trigger.LEGACY: Origin.HOSPITAL,
}
_ACTORS: Mapping[str, Origin] = {
    Role.STAFF: Origin.STAFF,
    "command line": Origin.STAFF,
    Role.PATIENT: Origin.PATIENT,
    Role.VISIT: Origin.PATIENT,
    "import": Origin.HOSPITAL,
    Role.INTEGRATION: Origin.HOSPITAL,
    Trigger.LEGACY: Origin.HOSPITAL,
    Role.SYSTEM: Origin.CENTRE,
}
