"""Makes the `Screen` of a moment from what the kiosk knows: pure, and the only place that knows both sides."""

from dataclasses import dataclass, replace

from kiosk.front.screen import (
    Booking,
    CentralView,
    JourneyView,
    KioskView,
    Notice,
    PatientView,
    QueueLine,
    Screen,
    ScreenKind,
)
from kiosk.front.visitor import Visitor
from kiosk.journey.patient_status import PatientStatus
from kiosk.store.patients import Identity
from sync.clock import iso
from sync.journey.definitions import Definitions
from sync.journey.meaning import is_called, is_over, waits
from sync.journey.model import Appointment, QueueEntry

LANGUAGES = ("ko", "en")  # of a kiosk that no centre has told better


@dataclass(frozen=True, slots=True)
class ScreenContext:
    """What does not depend on the person: who this kiosk is, how the centre looks, what is broken, and the time."""

    frame: int
    identity: Identity | None
    definitions: Definitions
    online: bool
    fault: str | None
    now_s: float
    wall_ms: int


def build_screen(around: ScreenContext, visitor: Visitor, status: PatientStatus | None) -> Screen:
    """The whole screen. A fault hides everybody: nobody is served by half a kiosk."""
    who = around.identity
    blank = Screen(
        frame=around.frame,
        screen=ScreenKind.ATTRACT,
        kiosk=KioskView(who.kiosk_id, who.name, _desk(who)) if who else KioskView("", ""),
        central=CentralView(around.online, _as_of(who)),
        languages=who.site.languages if who else LANGUAGES,
        ways=tuple(tuple(step.name for step in way) for way in around.definitions.ways),
    )
    if around.fault or who is None:
        return replace(blank, screen=ScreenKind.OUT_OF_ORDER, reason=around.fault or "not_enrolled")
    timed = replace(
        blank, screen=visitor.kind, remaining_s=visitor.remaining_s(around.now_s), keeps_left=visitor.keeps_left
    )
    match visitor.kind:
        case ScreenKind.JOURNEY if status:
            return _journey(around, who, timed, visitor, status)
        case ScreenKind.UNKNOWN_CARD:
            stranger = PatientView(str(visitor.patient_id), "", blank.languages[0])
            return replace(timed, patient=stranger, next_action=check_in(around.definitions, who))
        case ScreenKind.REFUSED_CARD:
            return replace(timed, reason=visitor.reason)
        case _:
            return blank


def next_action(definitions: Definitions, status: PatientStatus) -> str | None:
    """The one big button: the first action that the rules allow here, or None.

    Whoever is known by a card alone is sent to the desk, and nobody who has been seen is sent into a line that they
    hold no booking for.
    """
    if status.patient.provisional:
        return None
    journey = status.journey
    booked = any(a.status in definitions.open_appointments for a in journey.appointments)
    for name in status.available:
        if definitions.actions[name].opens_entry and journey.leg > 0 and not booked:
            continue
        return name
    return None


def check_in(definitions: Definitions, who: Identity) -> str | None:
    """The action that opens a visit, where this kiosk may do it."""
    return definitions.tap if definitions.tap in who.actions else None


def _journey(around: ScreenContext, who: Identity, timed: Screen, visitor: Visitor, status: PatientStatus) -> Screen:
    journey, definitions = status.journey, around.definitions
    listed = [e for e in journey.entries if e.state in definitions.listed]
    lines = {e.queue_id: _line(definitions, e, status, around.online) for e in listed}
    way, step = definitions.step_of(journey.state)
    view = JourneyView(
        journey.state,
        tuple(lines.values()),
        tuple(_booking(definitions, a, who.site.timezone) for a in journey.appointments),
        status.available,
        iso(around.wall_ms, who.site.timezone),
    )
    patient = status.patient
    return replace(
        timed,
        way=way,
        step=step,
        patient=PatientView(patient.patient_id, patient.masked_name, patient.language),
        journey=view,
        next_action=next_action(definitions, status),
        ticket=lines.get(journey.current_queue_id) if journey.current_queue_id else None,
        confirmed=not status.pending and not status.needs_staff,
        notice=_notice(around, visitor, status),
    )


def _notice(around: ScreenContext, visitor: Visitor, status: PatientStatus) -> Notice | None:
    """The most pressing thing to tell; later ones wait for the next tap."""
    journey, definitions = status.journey, around.definitions
    current = journey.current
    called = current is not None and is_called(definitions, current)
    tellable: tuple[tuple[bool, Notice], ...] = (
        (status.needs_staff or status.patient.provisional, Notice.SEE_DESK),
        (called, Notice.CALLED),
        (visitor.refused, Notice.NOT_ALLOWED),
        (bool(visitor.reversals), Notice.REVERSED),
        (
            visitor.tapped_again and current is not None and current.state in definitions.listed,
            Notice.ALREADY_CHECKED_IN,
        ),
        (around.online and not journey.appointments and not journey.entries, Notice.NO_BOOKING),
    )
    return next((notice for true, notice in tellable if true), None)


def _line(definitions: Definitions, entry: QueueEntry, status: PatientStatus, fresh: bool) -> QueueLine:
    counts = fresh and waits(definitions, entry)
    return QueueLine(
        entry.queue_id,
        entry.exam_id,
        entry.exam_name,
        entry.state,
        entry.queue_number,
        entry.room,
        status.people_ahead.get(entry.queue_id) if counts else None,
        status.wait_minutes.get(entry.queue_id) if counts else None,
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


def _desk(who: Identity) -> str:
    desk = who.site.walk_in
    return " · ".join(part for part in (desk.public_label, desk.room) if part)


def _as_of(who: Identity | None) -> str | None:
    return iso(who.as_of_ms, who.site.timezone) if who and who.as_of_ms is not None else None
