"""A patient's current state in the form of the public interface. Field names are fixed: front ends use them."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import msgspec
from msgspec.structs import replace

from sync.central.centre import Centre
from sync.central.records.appointments import bookings
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.entries import count_ahead
from sync.central.records.site import SiteSettings, read_site
from sync.central.services.answers import journey_of, offered
from sync.central.services.errors import UNKNOWN_PATIENT, ApiError
from sync.central.services.told import Told
from sync.central.store.transactions import ReadTransaction
from sync.clock import day_after, iso
from sync.journey.definitions import Definitions
from sync.journey.grace import is_within_reach
from sync.journey.meaning import is_worth_offering, waits
from sync.journey.model import VISIT, Actor, Appointment, Journey, QueueEntry, QueueId, Role
from sync.journey.rules import next_exam
from sync.rebase import with_bookings

NOT_COUNTED: Mapping[QueueId, int] = MappingProxyType({})


class QueueDetail(msgspec.Struct, frozen=True, omit_defaults=True):
    """One place in a line. `estimated_wait_time` is in minutes. It and `people_ahead` are 0 once the patient is called.

    `room` is the exam's, or the one that the patient was called into. `label_aliases` are the other numbers that
    were printed for the same place, left out where there are none. `exam_id` is empty for the token of a visit.
    """

    queue_id: str
    exam_id: str
    exam_name: str
    state: str
    queue_number: str
    estimated_wait_time: int
    room: str
    people_ahead: int
    label_aliases: tuple[str, ...] = ()


class AppointmentDetail(msgspec.Struct, frozen=True):
    """One booking of today; `scheduled_at` is ISO 8601 with the site's offset, or the date alone for the whole day."""

    appointment_id: str
    exam_id: str
    exam_name: str
    scheduled_at: str
    status: str


class CurrentState(msgspec.Struct, frozen=True):
    """The answer of current-state and perform-action, and the payload of the socket's messages.

    `journey_version` rises with each change of the journey. Of two states that come by two ways, the one with the
    higher version is the newer one; of one version, that with the later `timestamp`.
    """

    journey_state: str
    queue_details: list[QueueDetail]
    appointments: list[AppointmentDetail]
    available_actions: tuple[str, ...]
    timestamp: str
    journey_version: int


def read_current_state(centre: Centre, actor: Actor, name: str) -> Told | ApiError:
    """A patient's CurrentState, as this actor may see and change it. `name` is the patient's id or an alias of it."""
    now_ms = centre.clock()
    with centre.store.read() as db:
        site = read_site(db)
        journey = journey_now(db, centre, site, name, now_ms)
        if journey is None:
            return UNKNOWN_PATIENT
        state = current_state(db, centre.definitions, site, journey, actor, now_ms)
        return Told(state, AuditKind.LOOK_STATE, (journey.patient_id,))


def journey_now(db: ReadTransaction, centre: Centre, site: SiteSettings, name: str, now_ms: int) -> Journey | None:
    """The journey of the patient that an id or an alias names, with the bookings that an arrival now may be for."""
    journey = journey_of(db, centre, site.day(now_ms), name)
    return journey and with_bookings(journey, _within_reach(db, site, journey, now_ms))


def current_state(
    db: ReadTransaction,
    definitions: Definitions,
    site: SiteSettings,
    journey: Journey,
    actor: Actor,
    now_ms: int,
    ahead: Mapping[QueueId, int] = NOT_COUNTED,
) -> CurrentState:
    """A journey now, in the form that this actor gets. `ahead` are the people before entries that wait, if counted."""
    zone = site.site.timezone
    state = CurrentState(
        journey.state,
        [_queue_detail(db, definitions, journey, e, ahead) for e in journey.entries if e.state in definitions.listed],
        [appointment_detail(appointment, site) for appointment in journey.appointments],
        offered(definitions, site, journey, actor),
        iso(now_ms, zone),
        journey.journey_version,
    )
    return _of_a_visit(definitions, site, journey, state) if actor.role is Role.VISIT else state


def offered_actions(definitions: Definitions, site: SiteSettings, journey: Journey) -> tuple[str, ...]:
    """The actions that the page of a visit offers."""
    following = next_exam(definitions, journey)
    available = offered(definitions, site, journey, VISIT)
    return tuple(each for each in available if is_worth_offering(definitions.actions[each], journey, following))


def _of_a_visit(definitions: Definitions, site: SiteSettings, journey: Journey, state: CurrentState) -> CurrentState:
    """A state without bookings and without the hospital's own names of exams: a finder of the code may see it."""
    entries = [replace(each, exam_id="") for each in state.queue_details]
    actions = offered_actions(definitions, site, journey)
    return replace(state, queue_details=entries, appointments=[], available_actions=actions)


def people_before(db: ReadTransaction, definitions: Definitions, site_day: str, entry: QueueEntry) -> int:
    """The number of people before this entry in its line; 0 for an entry that does not wait for its turn."""
    return count_ahead(db, definitions, site_day, entry) if waits(definitions, entry) else 0


def estimated_wait(entry: QueueEntry, ahead: int) -> int:
    """Minutes until this entry's turn: the planned minutes of the exam for each person ahead."""
    return ahead * entry.minutes


def _within_reach(db: ReadTransaction, site: SiteSettings, journey: Journey, now_ms: int) -> Iterator[Appointment]:
    """The bookings of tomorrow that an arrival now may be for."""
    tomorrow = day_after(site.day(now_ms))
    following = bookings(db, journey.patient_id, tomorrow, day_after(tomorrow))
    return (each for each in following if is_within_reach(each, now_ms))


def _queue_detail(
    db: ReadTransaction, definitions: Definitions, journey: Journey, entry: QueueEntry, counted: Mapping[QueueId, int]
) -> QueueDetail:
    ahead = counted.get(entry.queue_id)
    ahead = people_before(db, definitions, journey.site_day, entry) if ahead is None else ahead
    return QueueDetail(
        entry.queue_id,
        entry.exam_id,
        entry.exam_name,
        entry.state,
        entry.queue_number,
        estimated_wait(entry, ahead),
        entry.room,
        ahead,
        entry.label_aliases,
    )


def appointment_detail(appointment: Appointment, site: SiteSettings) -> AppointmentDetail:
    """A booking in the form of the public interface."""
    at_ms = appointment.scheduled_ms
    return AppointmentDetail(
        appointment.appointment_id,
        appointment.exam_id,
        appointment.exam_name,
        site.day(at_ms) if appointment.all_day else iso(at_ms, site.site.timezone),
        appointment.status,
    )
