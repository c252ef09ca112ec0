"""Builds the `Screen` of a moment from a visitor and a patient's status: a pure function of the two."""

from typing import Any

from msgspec import Struct

from kiosk.front.screen import (
    Booking,
    CentralView,
    DeskState,
    JourneyView,
    KioskView,
    Lookup,
    PatientView,
    QueueLine,
    Screen,
    ScreenKind,
)
from kiosk.front.situation import read_situation
from kiosk.front.visitor import Visitor
from kiosk.journey.patient_status import PatientStatus
from kiosk.store.identity import Identity
from sync.clock import iso, site_day
from sync.journey.bookings import place_of_booking
from sync.journey.definitions import Definitions
from sync.journey.meaning import is_called, is_over, is_worth_offering, waits
from sync.journey.model import Appointment, NextExam, QueueEntry
from sync.protocol import DEFAULT_LANGUAGES, Site
from sync.words import names
from sync.words.reading import desk_of
from sync.words.table import say


class ScreenContext(Struct, frozen=True):
    """What a screen shows besides the person: the kiosk, its rules, whether the centre answers, the fault and the time.

    `online`: the centre answers. `wall_ms` is the wall clock (UTC ms). `is_desk`: every card is for the
    desk.
    """

    frame: int
    identity: Identity | None
    definitions: Definitions
    online: bool
    fault: str | None
    wall_ms: int
    is_desk: bool = False


def build_screen(context: ScreenContext, visitor: Visitor, status: PatientStatus | None) -> Screen:
    """Returns the whole screen. A fault, or no enrolment, hides every person behind "out of order"."""
    identity = context.identity
    common = _common(context, visitor)
    if context.fault or identity is None:
        return Screen(screen=ScreenKind.OUT_OF_ORDER, reason=context.fault or "not_enrolled", **common)
    occupied = common | {"keeps_left": visitor.keeps_left}
    match visitor.kind:
        case ScreenKind.JOURNEY if visitor.veiled:
            return Screen(screen=ScreenKind.STILL_HERE, **occupied)
        case ScreenKind.JOURNEY if status:
            return _journey(context, identity, occupied, visitor, status)
        case ScreenKind.UNKNOWN_CARD:
            stranger = PatientView(str(visitor.patient_id), "", identity.site.languages[0])
            # A press in that moment could land on the screen of the patient whom the centre names.
            is_asked = visitor.lookup is Lookup.ASKED
            action = None if is_asked else check_in_action(context.definitions, identity)
            label = names.button(action) if action else None
            return Screen(
                screen=visitor.kind,
                patient=stranger,
                next_action=action,
                button=label,
                lookup=visitor.lookup,
                **occupied,
            )
        case ScreenKind.REFUSED_CARD:
            return Screen(screen=visitor.kind, reason=visitor.reason, **occupied)
        case ScreenKind.DESK_CARD if visitor.desk:
            settling = visitor.acts_s is not None
            state = visitor.desk.state
            return Screen(screen=visitor.kind, reason=visitor.reason, settling=settling, desk_card=state, **common)
        case _ if context.is_desk:
            return Screen(screen=ScreenKind.DESK_CARD, desk_card=DeskState.READY, **common)
        case _:
            return Screen(screen=ScreenKind.ATTRACT, **common)


def next_action(definitions: Definitions, status: PatientStatus) -> str | None:
    """Returns the action of the one big button: the first that the rules allow here; None for no button.

    A patient known by the card alone gets none, and neither does one whose action waits for staff, or for another
    system of the hospital. An action that needs a proof is no button: the page has none.
    """
    if status.patient.provisional or status.needs_staff or status.awaited:
        return None
    for rule in (definitions.actions[name] for name in status.available):
        if rule.proof is None and is_worth_offering(rule, status.journey, status.next_exam):
            return rule.name
    return None


def check_in_action(definitions: Definitions, identity: Identity) -> str | None:
    """Returns the action that opens a visit; None where this kiosk is not granted it."""
    return definitions.tap if definitions.tap in identity.actions else None


def _common(context: ScreenContext, visitor: Visitor) -> dict[str, Any]:
    """The fields that every screen has. They are put together first: a copy of a screen costs more than the screen."""
    identity = context.identity
    return {
        "frame": context.frame,
        "kiosk": KioskView(identity.kiosk_id, identity.name, desk_of(identity.site.walk_in))
        if identity
        else KioskView("", ""),
        "central": CentralView(context.online, _as_of(identity)),
        "languages": identity.site.languages if identity else DEFAULT_LANGUAGES,
        "stay": visitor.stay,
        "ways": tuple(tuple(step.name for step in way) for way in context.definitions.ways),
    }


def _journey(
    context: ScreenContext, identity: Identity, occupied: dict[str, Any], visitor: Visitor, status: PatientStatus
) -> Screen:
    journey, definitions = status.journey, context.definitions
    listed = [e for e in journey.entries if e.state in definitions.listed]
    way, step = definitions.step_of(journey.state)
    view = JourneyView(
        journey.state,
        tuple(_queue_line(definitions, e, status, context.online) for e in listed),
        tuple(_booking(definitions, a, identity.site) for a in sorted(journey.appointments, key=place_of_booking)),
        status.available,
        iso(context.wall_ms, identity.site.timezone),
    )
    patient, action = status.patient, _offered(definitions, visitor, status)
    said = say(read_situation(definitions, visitor, status, action, context.online, occupied["kiosk"].desk))
    current = journey.current if said.has_ticket else None
    exam = _exam_of(definitions, status, action)
    return Screen(
        **occupied,
        screen=visitor.kind,
        way=way,
        step=step,
        patient=PatientView(patient.patient_id, patient.masked_name, patient.language),
        journey=view,
        next_action=action,
        next_exam=exam.exam_id if exam else "",
        # A visit's first exam is in the list of bookings above the button.
        button=names.button(action, exam.exam_name if exam and journey.leg else "") if action else None,
        said=said,
        settling=visitor.acts_s is not None,
        ticket=_queue_line(definitions, current, status, context.online) if current else None,
        confirmed=not status.pending and not status.needs_staff and not status.awaited,
        visit_code=visitor.visit_code if current else None,
    )


def _offered(definitions: Definitions, visitor: Visitor, status: PatientStatus) -> str | None:
    """The action of the button. None before the tap has acted, and after a press that ended the visit."""
    done = definitions.actions.get(visitor.done or "")
    has_left = done is not None and done.visit == "close" and status.journey.visit_id is None
    return None if visitor.acts_s is not None or has_left else next_action(definitions, status)


def _exam_of(definitions: Definitions, status: PatientStatus, action: str | None) -> NextExam | None:
    """The exam that an action is about; None where it is about none, or about the walk-in desk."""
    opens = action is not None and definitions.actions[action].opens_entry
    return status.next_exam if opens else None


def _queue_line(definitions: Definitions, entry: QueueEntry, status: PatientStatus, is_fresh: bool) -> QueueLine:
    has_wait = is_fresh and waits(definitions, entry)
    ahead = status.people_ahead.get(entry.queue_id) if has_wait else None
    minutes = status.wait_minutes.get(entry.queue_id) if has_wait else None
    return QueueLine(
        entry.queue_id,
        entry.exam_id,
        entry.exam_name,
        entry.state,
        entry.queue_number,
        entry.room,
        ahead,
        minutes,
        entry.label_aliases,
        is_called(definitions, entry),
        names.entry_state(entry.state),
        None if ahead is None else names.people_ahead(ahead),
        names.wait(minutes) if minutes and ahead else None,
        names.also(entry.label_aliases),
    )


def _booking(definitions: Definitions, appointment: Appointment, site: Site) -> Booking:
    at_ms, is_all_day = appointment.scheduled_ms, appointment.all_day
    return Booking(
        appointment.appointment_id,
        appointment.exam_id,
        appointment.exam_name,
        appointment.room,
        site_day(at_ms, site.timezone, site.day_starts_at) if is_all_day else iso(at_ms, site.timezone),
        appointment.status,
        is_over(definitions, appointment),
        names.booking_status(appointment.status),
        names.any_time() if is_all_day else None,
    )


def _as_of(identity: Identity | None) -> str | None:
    return iso(identity.as_of_ms, identity.site.timezone) if identity and identity.as_of_ms is not None else None
