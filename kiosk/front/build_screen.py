"""Builds the `Screen` of a moment from a visitor and a patient's status: a pure function of the two."""

from dataclasses import dataclass, replace

from kiosk.front.screen import (
    Booking,
    CentralView,
    JourneyView,
    KioskView,
    Lookup,
    Notice,
    PatientView,
    QueueLine,
    Screen,
    ScreenKind,
)
from kiosk.front.visitor import Visitor
from kiosk.journey.patient_status import PatientStatus
from kiosk.store.identity import Identity
from sync.clock import iso
from sync.journey.definitions import Definitions
from sync.journey.meaning import is_called, is_over, waits
from sync.journey.model import Appointment, QueueEntry
from sync.protocol import DEFAULT_LANGUAGES


@dataclass(frozen=True, slots=True)
class ScreenContext:
    """What a screen shows besides the person: the kiosk, its rules, whether the centre answers, the fault and the time.

    `online`: the centre answers. `now_s` is the monotonic clock, `wall_ms` the wall clock (UTC ms).
    """

    frame: int
    identity: Identity | None
    definitions: Definitions
    online: bool
    fault: str | None
    now_s: float
    wall_ms: int


def build_screen(context: ScreenContext, visitor: Visitor, status: PatientStatus | None) -> Screen:
    """Returns the whole screen. A fault, or no enrolment, hides every person behind "out of order"."""
    identity = context.identity
    empty = Screen(
        frame=context.frame,
        screen=ScreenKind.ATTRACT,
        kiosk=KioskView(identity.kiosk_id, identity.name, _desk(identity)) if identity else KioskView("", ""),
        central=CentralView(context.online, _as_of(identity)),
        languages=identity.site.languages if identity else DEFAULT_LANGUAGES,
        ways=tuple(tuple(step.name for step in way) for way in context.definitions.ways),
    )
    if context.fault or identity is None:
        return replace(empty, screen=ScreenKind.OUT_OF_ORDER, reason=context.fault or "not_enrolled")
    occupied = replace(
        empty, screen=visitor.kind, remaining_s=visitor.remaining_s(context.now_s), keeps_left=visitor.keeps_left
    )
    match visitor.kind:
        case ScreenKind.JOURNEY if status:
            return _journey(context, identity, occupied, visitor, status)
        case ScreenKind.UNKNOWN_CARD:
            stranger = PatientView(str(visitor.patient_id), "", empty.languages[0])
            # A press in that moment could land on the screen of the patient whom the centre names.
            is_asked = visitor.lookup is Lookup.ASKED
            action = None if is_asked else check_in_action(context.definitions, identity)
            return replace(occupied, patient=stranger, next_action=action, lookup=visitor.lookup)
        case ScreenKind.REFUSED_CARD:
            return replace(occupied, reason=visitor.reason)
        case _:
            return empty


def next_action(definitions: Definitions, status: PatientStatus) -> str | None:
    """Returns the action of the one big button: the first that the rules allow here; None for no button.

    A patient known by the card alone gets none, since the desk has to help. After an exam done today, an action that
    opens a queue entry without a booking is no button either. Nor is an action that needs a proof: the page has none.
    """
    if status.patient.provisional:
        return None
    journey = status.journey
    booked = any(a.status in definitions.open_appointments for a in journey.appointments)
    for name in status.available:
        rule = definitions.actions[name]
        if rule.proof is not None or (rule.opens_entry and journey.leg > 0 and not booked):
            continue
        return name
    return None


def check_in_action(definitions: Definitions, identity: Identity) -> str | None:
    """Returns the action that opens a visit; None where this kiosk is not granted it."""
    return definitions.tap if definitions.tap in identity.actions else None


def _journey(
    context: ScreenContext, identity: Identity, occupied: Screen, visitor: Visitor, status: PatientStatus
) -> Screen:
    journey, definitions = status.journey, context.definitions
    listed = [e for e in journey.entries if e.state in definitions.listed]
    lines = {e.queue_id: _queue_line(definitions, e, status, context.online) for e in listed}
    way, step = definitions.step_of(journey.state)
    view = JourneyView(
        journey.state,
        tuple(lines.values()),
        tuple(_booking(definitions, a, identity.site.timezone) for a in journey.appointments),
        status.available,
        iso(context.wall_ms, identity.site.timezone),
    )
    patient = status.patient
    return replace(
        occupied,
        way=way,
        step=step,
        patient=PatientView(patient.patient_id, patient.masked_name, patient.language),
        journey=view,
        next_action=None if visitor.acts_s is not None else next_action(definitions, status),
        settling=visitor.acts_s is not None,
        ticket=lines.get(journey.current_queue_id) if journey.current_queue_id else None,
        confirmed=not status.pending and not status.needs_staff,
        notice=_notice(context, visitor, status),
    )


def _notice(context: ScreenContext, visitor: Visitor, status: PatientStatus) -> Notice | None:
    """Returns the most pressing notice. The others wait for the next tap."""
    journey, definitions = status.journey, context.definitions
    current = journey.current
    called = current is not None and is_called(definitions, current)
    notices: tuple[tuple[bool, Notice], ...] = (
        (status.needs_staff or status.patient.provisional, Notice.SEE_DESK),
        (called, Notice.CALLED),
        (visitor.refused, Notice.NOT_ALLOWED),
        (bool(visitor.reversals), Notice.REVERSED),
        (
            visitor.tapped_again and current is not None and current.state in definitions.listed,
            Notice.ALREADY_CHECKED_IN,
        ),
        (context.online and not journey.appointments and not journey.entries, Notice.NO_BOOKING),
    )
    return next((notice for applies, notice in notices if applies), None)


def _queue_line(definitions: Definitions, entry: QueueEntry, status: PatientStatus, is_fresh: bool) -> QueueLine:
    has_wait = is_fresh and waits(definitions, entry)
    return QueueLine(
        entry.queue_id,
        entry.exam_id,
        entry.exam_name,
        entry.state,
        entry.queue_number,
        entry.room,
        status.people_ahead.get(entry.queue_id) if has_wait else None,
        status.wait_minutes.get(entry.queue_id) if has_wait else None,
        entry.label_aliases,
        is_called(definitions, entry),
    )


def _booking(definitions: Definitions, appointment: Appointment, timezone: str) -> Booking:
    return Booking(
        appointment.appointment_id,
        appointment.exam_id,
        appointment.exam_name,
        appointment.room,
        iso(appointment.scheduled_ms, timezone),
        appointment.status,
        is_over(definitions, appointment),
    )


def _desk(identity: Identity) -> str:
    desk = identity.site.walk_in
    return " · ".join(part for part in (desk.public_label, desk.room) if part)


def _as_of(identity: Identity | None) -> str | None:
    return iso(identity.as_of_ms, identity.site.timezone) if identity and identity.as_of_ms is not None else None
