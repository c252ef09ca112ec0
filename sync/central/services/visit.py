"""What the page of a visit shows: the numbers and what to do next, in words. No name, no booking, no id."""

import msgspec
from msgspec.structs import replace

from sync.central.centre import Centre
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.site import SiteSettings, read_site
from sync.central.services.current_state import estimated_wait, journey_now, offered_actions, people_before
from sync.central.services.errors import UNKNOWN_PATIENT, ApiError
from sync.central.services.told import Told
from sync.central.store.transactions import ReadTransaction
from sync.clock import iso
from sync.journey.definitions import Definitions
from sync.journey.meaning import waits
from sync.journey.model import Journey, QueueEntry
from sync.journey.rules import next_exam
from sync.words import names
from sync.words.reading import desk_of, entry_of, exam_of
from sync.words.situation import Situation
from sync.words.table import say
from sync.words.text import Text
from sync.words.words import Words


class VisitLine(msgspec.Struct, frozen=True):
    """One queue number. `exam_name` is the exam's public label. A text is null where there is nothing to say.

    `current`: the journey follows it. `word` is for its state, `ahead` for the people before the patient, `wait` for
    the time until the turn, `also` for other numbers that were printed for the same place.
    """

    queue_number: str
    exam_name: str
    room: str
    current: bool
    word: Text | None
    ahead: Text | None
    wait: Text | None
    also: Text | None


class VisitButton(msgspec.Struct, frozen=True):
    """An action that the page offers, for perform-action, and its label."""

    action_type: str
    label: Text


class VisitView(msgspec.Struct, frozen=True):
    """A visit as its page shows it. A text is English, with the values of its places, and has its catalog.

    `said` is what stands now and what to do next.
    """

    said: Words
    lines: tuple[VisitLine, ...]
    buttons: tuple[VisitButton, ...]
    timestamp: str


def read_visit(centre: Centre, patient_id: str) -> Told | ApiError:
    """The VisitView of the visit that a patient is on."""
    now_ms = centre.clock()
    with centre.store.read() as db:
        site = read_site(db)
        journey = journey_now(db, centre, site, patient_id, now_ms)
        if journey is None:
            return UNKNOWN_PATIENT
        view = _view(db, centre.definitions, site, journey, now_ms)
        return Told(view, AuditKind.LOOK_STATE, (journey.patient_id,))


def _view(
    db: ReadTransaction, definitions: Definitions, site: SiteSettings, journey: Journey, now_ms: int
) -> VisitView:
    actions = offered_actions(definitions, site, journey)
    return VisitView(
        say(_situation(definitions, site, journey, actions)),
        tuple(_line(db, definitions, journey, e) for e in journey.entries if e.state in definitions.listed),
        tuple(VisitButton(each, names.button(each).label) for each in actions),
        iso(now_ms, site.site.timezone),
    )


def _situation(definitions: Definitions, site: SiteSettings, journey: Journey, actions: tuple[str, ...]) -> Situation:
    following = exam_of(next_exam(definitions, journey))
    return Situation(
        journey=journey.state,
        entry=entry_of(definitions, journey),
        button=actions[0] if actions else "",
        has_bookings=bool(journey.appointments),
        next=following and replace(following, name=""),  # a booking is not for the finder of the code
        desk=desk_of(site.site.walk_in),
    )


def _line(db: ReadTransaction, definitions: Definitions, journey: Journey, entry: QueueEntry) -> VisitLine:
    ahead = people_before(db, definitions, journey.site_day, entry) if waits(definitions, entry) else None
    minutes = estimated_wait(entry, ahead) if ahead else 0
    return VisitLine(
        entry.queue_number,
        entry.exam_name,
        entry.room,
        entry.queue_id == journey.current_queue_id,
        names.entry_state(entry.state),
        None if ahead is None else names.people_ahead(ahead),
        names.wait(minutes) if minutes else None,
        names.also(entry.label_aliases),
    )
